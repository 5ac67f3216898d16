#pragma once
// Packs pieces of files on several threads. Used inside this folder only.

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "artifacts/zip_format.h"

namespace runner::artifacts::zip {

/// Pieces of a file are packed apart from one another, each with the end of the one before as its dictionary.
inline constexpr std::uint64_t kPiece = std::uint64_t{512} << 10U;

/// A part of a file; what is no file is one piece.
struct Piece {
  const Entry* entry = nullptr;  // path and mode are read; lives as long as the piece
  std::uint64_t offset = 0, length = 0;
  bool last = true;
  std::string content;  // of links: their target

  // Made by packing.
  std::string packed;
  std::uint32_t crc = 0;
  Method method = Method::stored;
  bool is_whole() const noexcept { return offset == 0 && last; }
};

/// Worth one trip to another thread.
struct Batch {
  std::vector<Piece> pieces;
  std::uint64_t bytes = 0;
  std::exception_ptr failure;
  bool done = false;
};

/// Batches come back in the order they were given. The result does not depend on the number of threads. One
/// thread gives and takes.
class Packer {
 public:
  /// `level`: 0 stores, 1 to 9 deflate.
  Packer(std::filesystem::path tree, int level);
  Packer(const Packer&) = delete;
  Packer& operator=(const Packer&) = delete;
  ~Packer();

  bool is_full() const noexcept { return waiting_.size() >= most_; }
  bool is_empty() const noexcept { return waiting_.empty(); }
  void give(std::unique_ptr<Batch> batch);
  /// The oldest, when it is done. Throws what its packing threw.
  std::unique_ptr<Batch> take();

 private:
  void start();
  void work();

  const std::filesystem::path tree_;
  const int level_;
  std::size_t most_;
  std::deque<std::unique_ptr<Batch>> waiting_;  // given and not taken; the taker's only
  std::mutex mutex_;
  std::condition_variable given_, done_;
  std::deque<Batch*> queue_;  // not begun yet
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace runner::artifacts::zip
