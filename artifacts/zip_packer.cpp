#include "artifacts/zip_packer.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "artifacts/directory_cursor.h"
#include "artifacts/file_copies.h"
#include "runner/base/error.h"
#include "runner/base/fd.h"
#include "runner/base/text.h"

namespace runner::artifacts::zip {
namespace {

constexpr std::uint64_t kWindow = std::uint64_t{32} << 10U;
constexpr std::size_t kMostThreads = 8;
// Jobs that run at the same time come first.
constexpr int kNice = 10;

std::uint32_t checksum(std::string_view bytes) {
  return static_cast<std::uint32_t>(::crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

void read_exactly(int fd, std::uint64_t offset, std::string& buffer, std::uint64_t size) {
  buffer.resize(size);
  for (std::uint64_t done = 0; done < size;) {
    const auto got = ::pread(fd, buffer.data() + done, size - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_errno("cannot read it");
    if (got == 0) throw Error(ErrorCode::conflict, "it became shorter while it was read");
    done += static_cast<std::uint64_t>(got);
  }
}

/// A deflate stream, used again and again. One thread.
class Deflater {
 public:
  explicit Deflater(int level) {
    if (::deflateInit2(&stream_, level, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
      throw Error(ErrorCode::unavailable, "out of memory");
    }
  }
  Deflater(const Deflater&) = delete;
  Deflater& operator=(const Deflater&) = delete;
  ~Deflater() { ::deflateEnd(&stream_); }

  /// Ends at a byte, so that another piece may follow.
  void pack(std::string_view dictionary, std::string_view bytes, bool last, std::string& packed) {
    if (::deflateReset(&stream_) != Z_OK) throw Error(ErrorCode::internal, "cannot pack it");
    if (!dictionary.empty()) {
      ::deflateSetDictionary(&stream_, as_input(dictionary), static_cast<uInt>(dictionary.size()));
    }
    packed.resize(::deflateBound(&stream_, bytes.size()) + 16);
    stream_.next_in = as_input(bytes);
    stream_.avail_in = static_cast<uInt>(bytes.size());
    stream_.next_out = reinterpret_cast<Bytef*>(packed.data());
    stream_.avail_out = static_cast<uInt>(packed.size());
    const int result = ::deflate(&stream_, last ? Z_FINISH : Z_SYNC_FLUSH);
    if (result != (last ? Z_STREAM_END : Z_OK) || stream_.avail_in != 0) {
      throw Error(ErrorCode::internal, "cannot pack it");
    }
    packed.resize(packed.size() - stream_.avail_out);
  }

 private:
  static Bytef* as_input(std::string_view bytes) {
    // zlib only reads it, but says so only when it is asked to at compile time.
    return const_cast<Bytef*>(reinterpret_cast<const Bytef*>(bytes.data()));
  }
  z_stream stream_{};
};

/// What one thread needs to pack.
class Worker {
 public:
  Worker(const std::filesystem::path& tree, int level)
      : level_(level), deflater_(level), directories_(tree, DirectoryCursor::Missing::fail) {}

  void run(Batch& batch) noexcept {
    try {
      for (Piece& piece : batch.pieces) {
        try {
          pack(piece);
        } catch (Error& error) {
          error.add_context("while packing " + in_quotes(piece.entry->path));
          throw;
        }
      }
    } catch (...) {
      batch.failure = std::current_exception();
    }
  }

 private:
  void pack(Piece& piece) {
    if (!S_ISREG(piece.entry->mode)) {
      piece.packed = std::move(piece.content);
      piece.crc = checksum(piece.packed);
      return;
    }
    const auto [parent, name] = split_name(piece.entry->path);
    struct stat info {};
    const UniqueFd file = open_regular(directories_.at(parent), name, piece.entry->path, info);
    const std::uint64_t before = std::min(piece.offset, kWindow);
    read_exactly(file.get(), piece.offset - before, buffer_, before + piece.length);
    const std::string_view bytes = std::string_view(buffer_).substr(before);
    piece.crc = checksum(bytes);
    if (level_ > 0 || !piece.is_whole()) {
      deflater_.pack(std::string_view(buffer_).substr(0, before), bytes, piece.last, scratch_);
      piece.method = Method::deflated;
    }
    if (piece.is_whole() && (level_ == 0 || scratch_.size() >= bytes.size())) {
      piece.method = Method::stored;
      piece.packed = bytes;
    } else {
      piece.packed = scratch_;
    }
  }

  int level_;
  Deflater deflater_;
  DirectoryCursor directories_;
  std::string buffer_, scratch_;
};

}  // namespace

Packer::Packer(std::filesystem::path tree, int level)
    : tree_(std::move(tree)),
      level_(level),
      most_(2 * std::clamp<std::size_t>(std::thread::hardware_concurrency(), 1, kMostThreads) + 2) {}

Packer::~Packer() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    queue_.clear();
  }
  given_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Packer::give(std::unique_ptr<Batch> batch) {
  // One batch alone is packed where it is taken: most archives are small.
  if (!waiting_.empty() && threads_.empty()) start();
  {
    const std::lock_guard lock(mutex_);
    queue_.push_back(batch.get());
  }
  waiting_.push_back(std::move(batch));
  given_.notify_one();
}

std::unique_ptr<Batch> Packer::take() {
  std::unique_ptr<Batch> batch = std::move(waiting_.front());
  waiting_.pop_front();
  if (threads_.empty()) {
    queue_.clear();
    Worker(tree_, level_).run(*batch);
  } else {
    std::unique_lock lock(mutex_);
    done_.wait(lock, [&] { return batch->done; });
  }
  if (batch->failure) std::rethrow_exception(batch->failure);
  return batch;
}

void Packer::start() {
  const std::size_t count = (most_ - 2) / 2;
  for (std::size_t i = 0; i < count; ++i) threads_.emplace_back([this] { work(); });
}

void Packer::work() {
  static_cast<void>(::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), kNice));
  std::unique_ptr<Worker> worker;
  std::exception_ptr failure;
  try {
    worker = std::make_unique<Worker>(tree_, level_);
  } catch (...) {
    failure = std::current_exception();
  }
  std::unique_lock lock(mutex_);
  for (;;) {
    given_.wait(lock, [&] { return ending_ || !queue_.empty(); });
    if (ending_) return;
    Batch* batch = queue_.front();
    queue_.pop_front();
    lock.unlock();
    if (worker) worker->run(*batch);
    lock.lock();
    if (!worker) batch->failure = failure;
    batch->done = true;
    done_.notify_one();
  }
}

}  // namespace runner::artifacts::zip
