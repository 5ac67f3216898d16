#pragma once
// Streams compressed with zstd (libzstd behind). One thread at a time. Internal to this folder.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string_view>

namespace runner::cache {

class ZstdWriter {
 public:
  /// Compresses into the open file `fd`, on other threads where that is faster.
  ZstdWriter(int fd, int level);
  ~ZstdWriter();
  ZstdWriter(const ZstdWriter&) = delete;
  ZstdWriter& operator=(const ZstdWriter&) = delete;
  void write(std::string_view bytes);
  /// Ends the stream; the length of the file.
  std::uint64_t finish();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

class ZstdReader {
 public:
  explicit ZstdReader(const std::filesystem::path& file);
  ~ZstdReader();
  ZstdReader(const ZstdReader&) = delete;
  ZstdReader& operator=(const ZstdReader&) = delete;
  /// The next bytes, empty at the end. Valid until the next call. Throws Error{corrupt}.
  std::string_view next();
  std::uint64_t compressed_bytes() const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace runner::cache
