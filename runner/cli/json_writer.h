#pragma once
// Writes JSON as it goes, without a tree in memory: a job's log may be far larger than we want to hold twice.
// One thread.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace runner::cli {

/// Pushes text to a sink in pieces. The caller keeps begin and end balanced; commas and colons come by
/// themselves.
class JsonWriter {
 public:
  using Sink = std::function<void(std::string_view)>;

  explicit JsonWriter(Sink sink) : sink_(std::move(sink)) {}

  JsonWriter& begin_object();
  JsonWriter& end_object();
  JsonWriter& begin_array();
  JsonWriter& end_array();
  JsonWriter& key(std::string_view name);
  JsonWriter& value(std::string_view text);  // bytes that are no UTF-8 become U+FFFD
  JsonWriter& value(const char* text) { return value(std::string_view(text)); }
  JsonWriter& value(const std::string& text) { return value(std::string_view(text)); }
  JsonWriter& value(bool flag);
  JsonWriter& value(std::int64_t number);
  JsonWriter& value(std::uint64_t number);
  JsonWriter& value(int number) { return value(static_cast<std::int64_t>(number)); }
  JsonWriter& value(double number);  // with at most three decimals
  JsonWriter& null();
  template <typename T>
  JsonWriter& value(const std::optional<T>& maybe) {
    return maybe ? value(*maybe) : null();
  }
  JsonWriter& value(const std::vector<std::string>& texts);
  template <typename T>
  JsonWriter& member(std::string_view name, const T& content) {
    return key(name).value(content);
  }

  /// A string in parts: begin_text(), any number of text(), end_text(). A character may be split between
  /// parts.
  JsonWriter& begin_text();
  JsonWriter& text(std::string_view part);
  JsonWriter& end_text();

  /// What is left goes to the sink.
  void flush();

 private:
  void separate();
  void put(std::string_view text);

  Sink sink_;
  std::string buffer_;
  std::string open_sequence_;  // first bytes of a character whose rest is in the next part
  bool comma_ = false;
  bool after_key_ = false;
};

}  // namespace runner::cli
