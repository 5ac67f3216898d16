#pragma once
// Copies many files at once, on a few threads. Used by the tree writer.

#include <sys/stat.h>

#include <condition_variable>
#include <deque>
#include <exception>
#include <filesystem>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace runner::cache {

/// One regular file to be copied: `to` is made.
struct FileCopy {
  std::string from;
  struct stat info {};
  std::filesystem::path to;
};

/// File systems whose files could not share blocks with their copies. One thread.
class CloneMemory {
 public:
  bool may_clone(dev_t device) const noexcept;
  void refuse(dev_t device) { refused_.push_back(device); }

 private:
  std::vector<dev_t> refused_;
};

/// Copies content (sharing blocks where the file system can), holes, owner (as root), mode, times and the
/// attributes of the user. A file that may not be read becomes an empty one and a warning. Throws Error.
void copy_file(const FileCopy& file, CloneMemory& memory);
/// The attributes user.* other than those of overlays.
void copy_attributes(const std::filesystem::path& from, const std::filesystem::path& to);

/// Copies in any order. One thread gives the files; it copies too when the others are busy. With one thread,
/// and for few files, no thread is started.
class CopyCrew {
 public:
  explicit CopyCrew(unsigned threads) : helpers_wanted_(threads > 0 ? threads - 1 : 0) {}
  /// Leaves what was not begun.
  ~CopyCrew();
  CopyCrew(const CopyCrew&) = delete;
  CopyCrew& operator=(const CopyCrew&) = delete;

  /// Throws what went wrong with a file given earlier.
  void add(FileCopy file);
  /// Waits for all. Throws the first Error; nothing may be added afterwards.
  void finish();

 private:
  using Batch = std::vector<FileCopy>;
  void hand_over(Batch batch);
  void help();
  void copy(const Batch& batch, CloneMemory& memory) const;
  void stop() noexcept;

  unsigned helpers_wanted_;
  Batch filling_;
  CloneMemory memory_;  // of the giving thread
  std::vector<std::thread> helpers_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Batch> waiting_;
  std::exception_ptr failure_;
  bool closed_ = false;
};

}  // namespace runner::cache
