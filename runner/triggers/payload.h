#pragma once
// A JSON text of a stranger, of which only named places are kept, so that memory is bounded by what is asked
// for and not by what was sent. nlohmann's parser is behind, as a stream of events. Pure; any thread.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace runner::triggers {

/// More than any forge nests, and than lists of changes have.
constexpr std::size_t kDeepestPayload = 64;
constexpr std::size_t kMostItems = 10'000;
constexpr std::size_t kMostKeys = 1000;  // of one object that are asked for

struct PayloadMember;

/// A value that was asked for, with the part of what is in it that was asked for.
struct PayloadValue {
  enum class Kind : std::uint8_t { null, boolean, integer, other_number, text, object, list };
  Kind kind = Kind::null;
  bool boolean = false;
  std::int64_t integer = 0;
  std::string text;
  std::vector<PayloadMember> members;
  std::vector<PayloadValue> items;
};

struct PayloadMember {
  std::string key;
  PayloadValue value;
};

struct PayloadError {
  std::string message;  // "it is nested deeper than 64 levels"
};

/// Reads the whole text and keeps `places`: "ref", "pull_request.head.sha", "changes[].new.name". Of an
/// object that is on the way to a place, its other keys are dropped; with "*" as the last part all keys are
/// kept, with their kinds only. nullopt with `error` set when it is no JSON, is no object, is nested too
/// deeply, is no UTF-8, has a key that was asked for twice, or a list with too many items.
std::optional<PayloadValue> read_payload(std::string_view json, std::span<const std::string_view> places,
                                         PayloadError& error);

/// A place in a payload that was read: reads it as what it should be, and says where it is when it is not.
/// Null is as good as absent. Every function but exists() throws Error{invalid_input} for a value of another
/// kind.
class PayloadPlace {
 public:
  explicit PayloadPlace(const PayloadValue& root) : value_(&root) {}

  bool exists() const noexcept { return value_ != nullptr && value_->kind != PayloadValue::Kind::null; }
  /// "pull_request.head"
  const std::string& path() const noexcept { return path_; }
  /// Absent when this is absent or has no such key.
  PayloadPlace operator[](std::string_view key) const;
  /// None when absent.
  std::vector<PayloadPlace> items() const;
  std::vector<std::string> keys() const;

  const std::string& text() const;
  std::optional<std::string> optional_text() const;
  std::int64_t number(std::int64_t low, std::int64_t high) const;
  bool boolean_or(bool otherwise) const;

  /// "the payload has <what> at 'pull_request.head'"
  [[noreturn]] void refuse(std::string_view what) const;

 private:
  PayloadPlace(const PayloadValue* value, std::string path) : value_(value), path_(std::move(path)) {}
  const PayloadValue* value_;
  std::string path_;
};

}  // namespace runner::triggers
