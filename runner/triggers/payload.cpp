#include "runner/triggers/payload.h"

#include <algorithm>
#include <limits>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::triggers {
namespace {

using nlohmann::json;
using Kind = PayloadValue::Kind;

/// The places as a tree. An empty one is a value that is kept as it is, without what is in it.
struct Wanted {
  std::map<std::string, Wanted, std::less<>> members;
  std::unique_ptr<Wanted> item;  // of a list
  bool all_keys = false;
};

void add_place(Wanted& root, std::string_view place) {
  Wanted* at = &root;
  for (std::string_view part : split(place, '.')) {
    if (part == "*") {
      at->all_keys = true;
      return;
    }
    const bool list = part.ends_with("[]");
    if (list) part.remove_suffix(2);
    at = &at->members[std::string(part)];
    if (!list) continue;
    if (!at->item) at->item = std::make_unique<Wanted>();
    at = at->item.get();
  }
}

/// What nlohmann's parser calls; false ends the parsing.
class Events {
 public:
  Events(const Wanted& root, PayloadValue& value) : root_(root) { next_ = {&root_, &value}; }

  std::string problem;

  bool null() { return keep(Kind::null); }
  bool boolean(bool value) {
    if (next_.value != nullptr) next_.value->boolean = value;
    return keep(Kind::boolean);
  }
  bool number_integer(json::number_integer_t value) {
    if (next_.value != nullptr) next_.value->integer = value;
    return keep(Kind::integer);
  }
  bool number_unsigned(json::number_unsigned_t value) {
    if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
      return keep(Kind::other_number);
    return number_integer(static_cast<json::number_integer_t>(value));
  }
  bool number_float(json::number_float_t, const std::string&) { return keep(Kind::other_number); }
  bool string(std::string& text) {
    if (next_.value != nullptr) next_.value->text = std::move(text);
    return keep(Kind::text);
  }
  bool binary(json::binary_t&) { return keep(Kind::null); }  // JSON has none

  bool start_object(std::size_t) { return open(Kind::object); }
  bool key(std::string& name) {
    next_ = {};
    const auto [wanted, value] = open_.back();
    if (value == nullptr) return true;
    const auto found = wanted->members.find(name);
    if (found == wanted->members.end() && !wanted->all_keys) return true;
    for (const auto& member : value->members) {
      if (member.key == name) return refuse("it has the key " + in_quotes(shorten(name)) + " twice");
    }
    if (value->members.size() == kMostKeys) return refuse("it has an object with too many keys");
    value->members.push_back({name, PayloadValue()});
    next_ = {found == wanted->members.end() ? &nothing_ : &found->second, &value->members.back().value};
    return true;
  }
  bool end_object() { return close(); }

  bool start_array(std::size_t) { return open(Kind::list) && begin_item(); }
  bool end_array() { return close(); }

  bool parse_error(std::size_t position, const std::string&, const json::exception& error) {
    // The text of the exception shows what was sent, and may be as long.
    problem = error.id == 406 ? "it has a number that is too large" : "it is no JSON";
    problem += ", by byte " + std::to_string(position);
    return false;
  }

 private:
  struct Place {
    const Wanted* wanted = nullptr;
    PayloadValue* value = nullptr;  // nullptr: nobody asked for it
  };

  static std::string shorten(std::string_view text) {
    constexpr std::size_t kLongest = 60;
    return to_utf8(text.substr(0, kLongest)) + (text.size() > kLongest ? "..." : "");
  }
  bool refuse(std::string what) {
    problem = std::move(what);
    return false;
  }

  bool keep(Kind kind) {
    if (open_.empty() && kind != Kind::object) return refuse("it is no object");
    if (next_.value != nullptr) next_.value->kind = kind;
    return begin_item();
  }

  bool open(Kind kind) {
    if (open_.empty() && kind != Kind::object) return refuse("it is no object");
    if (open_.size() == kDeepestPayload)
      return refuse("it is nested deeper than " + std::to_string(kDeepestPayload) + " levels");
    if (next_.value != nullptr) next_.value->kind = kind;
    open_.push_back(next_);
    lists_.push_back(kind == Kind::list);
    next_ = {};
    return true;
  }
  bool close() {
    // An item was begun for what would have followed.
    const Place closed = open_.back();
    if (lists_.back() && closed.value != nullptr && !closed.value->items.empty())
      closed.value->items.pop_back();
    open_.pop_back();
    lists_.pop_back();
    next_ = {};
    return open_.empty() || begin_item();
  }

  /// In a list, what comes next is one more item.
  bool begin_item() {
    if (open_.empty() || !lists_.back()) return true;
    const auto [wanted, value] = open_.back();
    next_ = {};
    if (value == nullptr || !wanted->item) return true;
    if (value->items.size() > kMostItems)
      return refuse("it has a list with more than " + std::to_string(kMostItems) + " items");
    next_ = {wanted->item.get(), &value->items.emplace_back()};
    return true;
  }

  const Wanted& root_;
  const Wanted nothing_;
  Place next_;               // where the value that comes next goes
  std::vector<Place> open_;  // objects and lists around it
  std::vector<bool> lists_;  // which of them are lists
};

}  // namespace

std::optional<PayloadValue> read_payload(std::string_view text, std::span<const std::string_view> places,
                                         PayloadError& error) {
  Wanted wanted;
  for (const std::string_view place : places) add_place(wanted, place);
  PayloadValue root;
  Events events(wanted, root);
  // strict: nothing but blanks may follow.
  if (json::sax_parse(text.begin(), text.end(), &events, json::input_format_t::json, true)) return root;
  error.message = events.problem.empty() ? "it is no JSON" : events.problem;
  return std::nullopt;
}

void PayloadPlace::refuse(std::string_view what) const {
  const std::string where = path_.empty() ? "" : " at " + in_quotes(path_);
  throw Error(ErrorCode::invalid_input, "the payload has " + std::string(what) + where);
}

PayloadPlace PayloadPlace::operator[](std::string_view key) const {
  std::string path = path_.empty() ? std::string(key) : path_ + "." + std::string(key);
  if (!exists()) return {nullptr, std::move(path)};
  if (value_->kind != Kind::object) refuse("no object");
  const auto found = std::ranges::find(value_->members, key, &PayloadMember::key);
  return {found == value_->members.end() ? nullptr : &found->value, std::move(path)};
}

std::vector<PayloadPlace> PayloadPlace::items() const {
  std::vector<PayloadPlace> all;
  if (!exists()) return all;
  if (value_->kind != Kind::list) refuse("no list");
  for (std::size_t i = 0; i < value_->items.size(); ++i) {
    all.push_back(PayloadPlace(&value_->items[i], path_ + "[" + std::to_string(i) + "]"));
  }
  return all;
}

std::vector<std::string> PayloadPlace::keys() const {
  std::vector<std::string> all;
  if (!exists()) return all;
  if (value_->kind != Kind::object) refuse("no object");
  for (const auto& member : value_->members) all.push_back(member.key);
  return all;
}

const std::string& PayloadPlace::text() const {
  if (!exists() || value_->kind != Kind::text) refuse("no text");
  return value_->text;
}

std::optional<std::string> PayloadPlace::optional_text() const {
  if (!exists()) return std::nullopt;
  return text();
}

std::int64_t PayloadPlace::number(std::int64_t low, std::int64_t high) const {
  if (!exists() || value_->kind != Kind::integer || value_->integer < low || value_->integer > high)
    refuse("no number from " + std::to_string(low) + " to " + std::to_string(high));
  return value_->integer;
}

bool PayloadPlace::boolean_or(bool otherwise) const {
  if (!exists()) return otherwise;
  if (value_->kind != Kind::boolean) refuse("neither true nor false");
  return value_->boolean;
}

}  // namespace runner::triggers
