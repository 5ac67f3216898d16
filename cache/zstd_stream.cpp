#include "cache/zstd_stream.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <thread>

#include "runner/base/error.h"
#include "runner/base/fd.h"
#include "runner/base/files.h"
#include "runner/base/text.h"

namespace runner::cache {
namespace {

struct FreeStream {
  void operator()(ZSTD_CCtx* stream) const noexcept { ::ZSTD_freeCCtx(stream); }
  void operator()(ZSTD_DCtx* stream) const noexcept { ::ZSTD_freeDCtx(stream); }
};

std::size_t checked(std::size_t result, ErrorCode code, std::string_view act) {
  if (::ZSTD_isError(result) != 0)
    throw Error(code, "cannot " + std::string(act) + ": " + ::ZSTD_getErrorName(result));
  return result;
}

}  // namespace

struct ZstdWriter::Impl {
  int fd = -1;
  std::unique_ptr<ZSTD_CCtx, FreeStream> stream{::ZSTD_createCCtx()};
  std::string out = std::string(::ZSTD_CStreamOutSize(), '\0');
  std::uint64_t written = 0;

  void run(std::string_view bytes, ZSTD_EndDirective directive) {
    ZSTD_inBuffer input{bytes.data(), bytes.size(), 0};
    for (bool done = false; !done;) {
      ZSTD_outBuffer output{out.data(), out.size(), 0};
      const auto left = checked(::ZSTD_compressStream2(stream.get(), &output, &input, directive),
                                ErrorCode::internal, "compress");
      write_all(fd, std::string_view(out.data(), output.pos));
      written += output.pos;
      done = directive == ZSTD_e_end ? left == 0 : input.pos == input.size;
    }
  }
};

ZstdWriter::ZstdWriter(int fd, int level) : impl_(std::make_unique<Impl>()) {
  impl_->fd = fd;
  ZSTD_CCtx* stream = impl_->stream.get();
  checked(::ZSTD_CCtx_setParameter(stream, ZSTD_c_compressionLevel, level), ErrorCode::invalid_input,
          "compress");
  checked(::ZSTD_CCtx_setParameter(stream, ZSTD_c_checksumFlag, 1), ErrorCode::internal, "compress");
  // A library that was built without threads says no, and compresses on this one.
  const unsigned threads = std::clamp(std::thread::hardware_concurrency(), 1U, 4U);
  static_cast<void>(::ZSTD_CCtx_setParameter(stream, ZSTD_c_nbWorkers, static_cast<int>(threads)));
}

ZstdWriter::~ZstdWriter() = default;

void ZstdWriter::write(std::string_view bytes) {
  impl_->run(bytes, ZSTD_e_continue);
}

std::uint64_t ZstdWriter::finish() {
  impl_->run({}, ZSTD_e_end);
  return impl_->written;
}

struct ZstdReader::Impl {
  UniqueFd file;
  std::uint64_t size = 0;
  std::unique_ptr<ZSTD_DCtx, FreeStream> stream{::ZSTD_createDCtx()};
  std::string in = std::string(::ZSTD_DStreamInSize(), '\0');
  std::string out = std::string(4 * ::ZSTD_DStreamOutSize(), '\0');
  ZSTD_inBuffer input{in.data(), 0, 0};
  bool frame_ended = false;  // there is a frame, and it is whole
  bool drained = true;       // what was read has been given out

  /// False at the end of the file.
  bool fill() {
    ssize_t got = 0;
    do {
      got = ::read(file.get(), in.data(), in.size());
    } while (got < 0 && errno == EINTR);
    if (got < 0) throw_errno("cannot read the layer's archive");
    input = {in.data(), static_cast<std::size_t>(got), 0};
    return got > 0;
  }
};

ZstdReader::ZstdReader(const std::filesystem::path& file) : impl_(std::make_unique<Impl>()) {
  impl_->file.reset(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info {};
  if (!impl_->file || ::fstat(impl_->file.get(), &info) != 0)
    throw_errno("cannot open " + in_quotes(file.native()));
  impl_->size = static_cast<std::uint64_t>(info.st_size);
}

ZstdReader::~ZstdReader() = default;

std::string_view ZstdReader::next() {
  ZSTD_outBuffer output{impl_->out.data(), impl_->out.size(), 0};
  while (output.pos < output.size) {
    if (impl_->input.pos == impl_->input.size && impl_->drained && !impl_->fill()) {
      if (output.pos == 0 && !impl_->frame_ended)
        throw Error(ErrorCode::corrupt, "the layer's archive ends early");
      break;
    }
    const auto left = checked(::ZSTD_decompressStream(impl_->stream.get(), &output, &impl_->input),
                              ErrorCode::corrupt, "unpack the layer's archive");
    impl_->frame_ended = left == 0;
    impl_->drained = left == 0 || output.pos < output.size;
  }
  return {impl_->out.data(), output.pos};
}

std::uint64_t ZstdReader::compressed_bytes() const noexcept {
  return impl_->size;
}

}  // namespace runner::cache
