#pragma once
// Reads server-sent events (HTML standard, section 9.2.6) from bytes as they come. Pure; one thread.

#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace runner::cli {

struct ServerEvent {
  std::string type;  // "message" when the server named none
  std::string data;
  std::string id;  // the last one there was, so that a new connection can go on after it
};

class EventStream {
 public:
  /// False stops: nothing more is handed out.
  using OnEvent = std::function<bool(const ServerEvent& event)>;

  explicit EventStream(OnEvent on_event) : on_event_(std::move(on_event)) {}

  /// Pieces of any size. False once on_event said so. Throws Error{corrupt} when an event is longer than
  /// kMaxEvent; what on_event throws passes through.
  bool feed(std::string_view bytes);
  /// A new connection: what was incomplete is forgotten, the last id stays.
  void restart();

  const std::string& last_id() const { return last_id_; }
  /// How long the server wants to be left alone before a new connection.
  std::optional<std::chrono::milliseconds> retry() const { return retry_; }

  static constexpr std::size_t kMaxEvent = std::size_t{16} << 20U;

 private:
  bool end_line();
  void take_field(std::string_view name, std::string_view value);

  OnEvent on_event_;
  std::string line_;
  ServerEvent event_;
  std::string last_id_;
  std::optional<std::chrono::milliseconds> retry_;
  bool has_data_ = false, after_cr_ = false, begun_ = false, stopped_ = false;
};

}  // namespace runner::cli
