#include "runner/http/stream.h"

#include <exception>
#include <mutex>
#include <optional>

#include "runner/base/log.h"

namespace runner::http {
namespace {

/// A call into somebody else's code must not end a thread that serves all.
template <typename Call, typename... Args>
void call_guarded(const Call& call, Args... args) noexcept {
  if (!call) return;
  try {
    call(args...);
  } catch (const std::exception& error) {
    log_error("http", std::string("a callback of a stream failed: ") + error.what());
  } catch (...) {
    log_error("http", "a callback of a stream failed with an unknown exception");
  }
}

}  // namespace

std::string_view to_string(GoneReason reason) noexcept {
  switch (reason) {
    case GoneReason::client:
      return "client";
    case GoneReason::slow:
      return "slow";
    case GoneReason::server:
      return "server";
  }
  return "server";
}

/// Between the writers' threads and the reactor. Callbacks are taken out under the lock and run without it.
struct StreamState {
  explicit StreamState(const StreamOptions& given) : options(given) {}

  const StreamOptions options;
  std::mutex mutex;
  std::string buffer;
  bool closed = false;
  bool wake_due = true;  // the reader took all and wants to hear of more
  std::optional<GoneReason> gone;
  std::function<void()> wake;
  std::function<void()> room;
  std::function<void(GoneReason)> on_gone;

  bool open() const { return !closed && !gone; }

  void end(GoneReason reason) noexcept {
    std::function<void(GoneReason)> call;
    std::function<void()> dropped[2];  // may own the last of something: they go outside of the lock
    {
      const std::lock_guard lock(mutex);
      if (gone) return;
      gone = reason;
      std::string().swap(buffer);
      if (!closed) call = std::move(on_gone);
      on_gone = nullptr;
      dropped[0] = std::exchange(room, nullptr);
      if (reason != GoneReason::slow) dropped[1] = std::exchange(wake, nullptr);
    }
    call_guarded(call, reason);
  }

  /// The reader's wake-up when one is due. Call with the lock held, run without.
  std::function<void()> take_wake() { return std::exchange(wake_due, false) ? wake : nullptr; }
};

struct StreamHandle::Writer {
  explicit Writer(std::shared_ptr<StreamState> given) : state(std::move(given)) {}
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  ~Writer() { close(); }

  void close() const {
    std::function<void()> wake;
    std::function<void()> room;
    std::function<void(GoneReason)> gone;
    {
      const std::lock_guard lock(state->mutex);
      if (!state->open()) return;
      state->closed = true;
      room = std::exchange(state->room, nullptr);
      gone = std::exchange(state->on_gone, nullptr);
      wake = state->take_wake();
    }
    call_guarded(wake);
  }

  const std::shared_ptr<StreamState> state;
};

bool StreamHandle::write(std::string_view bytes) {
  StreamState& state = *writer_->state;
  std::function<void()> wake;
  bool fits = true;
  {
    const std::lock_guard lock(state.mutex);
    if (!state.open()) return false;
    if (bytes.empty()) return true;
    fits = bytes.size() <= state.options.buffer_bytes - state.buffer.size();
    if (fits) state.buffer.append(bytes);
    wake = state.take_wake();
    // The connection hangs in a write that nobody reads: it must hear of this one although it was not
    // waiting.
    if (!fits) wake = state.wake;
  }
  if (!fits) state.end(GoneReason::slow);
  call_guarded(wake);
  return fits;
}

std::size_t StreamHandle::room() const {
  StreamState& state = *writer_->state;
  const std::lock_guard lock(state.mutex);
  return state.open() ? state.options.buffer_bytes - state.buffer.size() : 0;
}

void StreamHandle::close() {
  writer_->close();
}

void StreamHandle::on_gone(std::function<void(GoneReason)> call) {
  StreamState& state = *writer_->state;
  std::optional<GoneReason> already;
  {
    const std::lock_guard lock(state.mutex);
    if (state.closed) return;
    already = state.gone;
    if (!already) std::swap(state.on_gone, call);
  }
  if (already) call_guarded(call, *already);
}

void StreamHandle::on_room(std::function<void()> call) {
  StreamState& state = *writer_->state;
  const std::lock_guard lock(state.mutex);
  if (state.open()) std::swap(state.room, call);
}

StreamBody& StreamBody::operator=(StreamBody&& other) noexcept {
  if (this != &other) {
    gone(GoneReason::server);
    state_ = std::move(other.state_);
  }
  return *this;
}

StreamBody::~StreamBody() {
  gone(GoneReason::server);
}

const StreamOptions& StreamBody::options() const noexcept {
  return state_->options;
}

StreamBody::Taken StreamBody::take() {
  Taken taken;
  std::function<void()> room;
  {
    const std::lock_guard lock(state_->mutex);
    taken.bytes.swap(state_->buffer);
    taken.gone = state_->gone.has_value();
    taken.ended = state_->closed || taken.gone;
    state_->wake_due = true;
    if (!taken.bytes.empty() && !taken.ended) room = state_->room;
  }
  call_guarded(room);
  return taken;
}

bool StreamBody::is_gone() const {
  const std::lock_guard lock(state_->mutex);
  return state_->gone.has_value();
}

void StreamBody::wake_by(std::function<void()> wake) {
  const std::lock_guard lock(state_->mutex);
  std::swap(state_->wake, wake);
}

void StreamBody::gone(GoneReason reason) noexcept {
  if (state_) state_->end(reason);
}

std::pair<StreamHandle, StreamBody> make_stream(const StreamOptions& options) {
  auto state = std::make_shared<StreamState>(options);
  StreamHandle handle;
  handle.writer_ = std::make_shared<StreamHandle::Writer>(state);
  StreamBody body;
  body.state_ = std::move(state);
  return {std::move(handle), std::move(body)};
}

std::string format_event(std::string_view type, std::string_view data, std::string_view id) {
  const auto one_line = [](std::string_view text) {
    return !text.empty() && text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
  };
  std::string event;
  if (one_line(id)) event.append("id: ").append(id).append("\n");
  if (one_line(type)) event.append("event: ").append(type).append("\n");
  // CR, LF and CRLF each end a line for the reader.
  for (std::size_t begin = 0;;) {
    const std::size_t end = data.find_first_of("\r\n", begin);
    event.append("data: ")
        .append(data.substr(begin, end == std::string_view::npos ? end : end - begin))
        .append("\n");
    if (end == std::string_view::npos) break;
    begin = end + (data.substr(end, 2) == "\r\n" ? 2 : 1);
  }
  event += "\n";
  return event;
}

}  // namespace runner::http
