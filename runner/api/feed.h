#pragma once
// The writing end of an event stream that is fed by Followers. Internal to this folder.

#include <atomic>
#include <memory>
#include <optional>
#include <string_view>

#include "runner/api/followers.h"
#include "runner/http/stream.h"

namespace runner::api {

/// What one follower may hold in memory.
inline constexpr std::size_t kFeedBytes = 64U << 10U;

/// One thread at a time.
class Feed {
 public:
  /// `waker` runs when there is room again, and when the reader is gone.
  Feed(http::StreamHandle handle, const std::function<void()>& waker);

  bool is_gone() const noexcept { return *gone_; }
  std::size_t room() const { return handle_.room(); }
  /// False when there is no room for it now; nothing was sent.
  bool send(std::string_view type, std::string_view data, std::string_view id);
  void close() { handle_.close(); }

 private:
  http::StreamHandle handle_;
  std::shared_ptr<std::atomic<bool>> gone_ = std::make_shared<std::atomic<bool>>(false);  // set by the server
};

}  // namespace runner::api
