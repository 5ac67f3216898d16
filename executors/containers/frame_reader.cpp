#include "executors/containers/frame_reader.h"

#include <algorithm>

#include "runner/base/error.h"

namespace runner::executors {
namespace {

// What the first byte of a header says. 3 is what the engine itself has to say of the stream.
constexpr unsigned char kOut = 1, kEngine = 3;

}  // namespace

void FrameReader::feed(std::string_view bytes, const Take& take) {
  while (!bytes.empty()) {
    if (left_ == 0) {
      const std::size_t part = std::min(header_.size() - header_size_, bytes.size());
      std::copy_n(bytes.begin(), part, header_.begin() + static_cast<std::ptrdiff_t>(header_size_));
      header_size_ += part;
      bytes.remove_prefix(part);
      if (header_size_ == header_.size()) begin_frame();
      continue;
    }
    const std::size_t part = std::min<std::size_t>(left_, bytes.size());
    take(stream_, bytes.substr(0, part));
    left_ -= static_cast<std::uint32_t>(part);
    bytes.remove_prefix(part);
  }
}

void FrameReader::begin_frame() {
  // 0 would be standard input; engines have sent output with it.
  if (header_[0] > kEngine || header_[1] != 0 || header_[2] != 0 || header_[3] != 0)
    throw Error(ErrorCode::corrupt, "the output of the container is damaged: no frame begins where one must");
  stream_ = header_[0] <= kOut ? Stream::out : Stream::err;
  left_ = 0;
  for (std::size_t i = 4; i < header_.size(); ++i) left_ = left_ << 8U | header_[i];
  header_size_ = 0;
}

}  // namespace runner::executors
