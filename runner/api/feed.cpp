#include "runner/api/feed.h"

namespace runner::api {

Feed::Feed(http::StreamHandle handle, const std::function<void()>& waker) : handle_(std::move(handle)) {
  handle_.on_room(waker);
  handle_.on_gone([gone = gone_, waker](http::GoneReason) {
    *gone = true;
    waker();
  });
}

bool Feed::send(std::string_view type, std::string_view data, std::string_view id) {
  const std::string event = http::format_event(type, data, id);
  // Too large a write would cut the reader off; room only grows meanwhile, as nobody else writes.
  return event.size() <= handle_.room() && handle_.write(event);
}

}  // namespace runner::api
