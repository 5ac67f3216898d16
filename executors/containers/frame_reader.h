#pragma once
// The output of a container as an engine streams it: frames of the two streams in one (Docker's Engine API,
// "attach to a container", stream format). One thread.

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

#include "executors/executor.h"

namespace runner::executors {

/// Takes the stream apart wherever it was cut. Keeps eight bytes and no more, whatever a frame says of its
/// length.
class FrameReader {
 public:
  using Take = std::function<void(Stream stream, std::string_view bytes)>;

  /// Passes on what of `bytes` is output, at once and in order. Throws Error{corrupt} when they are no
  /// frames; what came before has been passed on then.
  void feed(std::string_view bytes, const Take& take);
  /// False in the middle of a frame: a stream that ends there was cut off.
  bool at_boundary() const noexcept { return left_ == 0 && header_size_ == 0; }

 private:
  void begin_frame();

  std::array<unsigned char, 8> header_{};
  std::size_t header_size_ = 0;
  std::uint32_t left_ = 0;  // bytes of the frame that are still to come
  Stream stream_ = Stream::out;
};

}  // namespace runner::executors
