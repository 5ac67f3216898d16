#pragma once
// A context as an archive that is made while it is read. Format: POSIX.1-2001 pax. Not thread-safe.

#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "builds/ignore_rules.h"
#include "runner/base/fd.h"

namespace runner::builds {

/// A file that is not in the context.
struct AddedFile {
  std::string name, content;
  unsigned mode = 0600;
};

class ContextTar {
 public:
  /// `context` and `rules` outlive it. All files belong to root and have the time `time`, in seconds since
  /// 1970. `added` come last, and take the place of files of the context with their names.
  ContextTar(int context, const IgnoreRules& rules, std::vector<AddedFile> added, std::int64_t time);
  ~ContextTar();
  ContextTar(const ContextTar&) = delete;
  ContextTar& operator=(const ContextTar&) = delete;

  /// At least one byte, or 0 at the end. Blocks on the disk only. Throws what the walk throws.
  std::size_t read(char* buffer, std::size_t size);

 private:
  void write(int context, const IgnoreRules& rules, std::vector<AddedFile> added, std::int64_t time);

  Pipe pipe_;
  std::exception_ptr failure_;  // written before the pipe is closed
  std::stop_source stop_;
  std::thread thread_;
};

}  // namespace runner::builds
