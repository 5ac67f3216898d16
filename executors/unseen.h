#pragma once
// A sink for output that nobody reads.

#include "executors/executor.h"

namespace runner::executors {

class UnseenSink final : public LogSink {
 public:
  void write(Stream /*stream*/, std::span<const std::byte> /*bytes*/) noexcept override {}
};

}  // namespace runner::executors
