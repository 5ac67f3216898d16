#include "runner/triggers/hint_parts.h"

#include <algorithm>
#include <limits>

#include "runner/base/error.h"
#include "runner/base/text.h"
#include "runner/triggers/ref_name.h"

namespace runner::triggers {
namespace {

constexpr std::size_t kLongestUser = 200;
constexpr std::size_t kLongestId = 200;
constexpr std::string_view kHeads = "refs/heads/";
constexpr std::string_view kTags = "refs/tags/";

bool is_hex(char c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

/// A character of two or three bytes that is not shown but changes how others are.
bool is_mark(std::string_view character) noexcept {
  if (character.size() == 2) return character[0] == '\xc2' && static_cast<unsigned char>(character[1]) < 0xa0;
  if (character.size() != 3 || character[0] != '\xe2') return false;
  const auto second = static_cast<unsigned char>(character[1]);
  const auto third = static_cast<unsigned char>(character[2]);
  // U+200B to U+200F, U+2028 to U+202E, U+2066 to U+2069
  return (second == 0x80 && ((third >= 0x8b && third <= 0x8f) || (third >= 0xa8 && third <= 0xae))) ||
         (second == 0x81 && third >= 0xa6 && third <= 0xa9);
}

}  // namespace

std::string read_commit_id(const PayloadPlace& place) {
  const auto text = place.optional_text();
  if (!text) return {};
  std::string id = to_lower(*text);
  if ((id.size() != 40 && id.size() != 64) || !std::ranges::all_of(id, is_hex))
    place.refuse("no commit id of 40 or 64 hex digits");
  if (std::ranges::all_of(id, [](char c) { return c == '0'; })) id.clear();
  return id;
}

std::string read_branch(const PayloadPlace& place) {
  return read_ref(place, kHeads).substr(kHeads.size());
}

std::string read_ref(const PayloadPlace& place, std::string_view folder) {
  std::string name = std::string(folder) + place.text();
  if (!is_ref_name(name)) place.refuse("no name of a ref");
  return name;
}

std::int64_t read_request_number(const PayloadPlace& place) {
  return place.number(1, std::numeric_limits<std::int32_t>::max());
}

RefChange read_change(std::string ref, const PayloadPlace& before, const PayloadPlace& after) {
  RefChange change{std::move(ref), read_commit_id(before), read_commit_id(after)};
  if (change.before.empty() && change.after.empty()) after.refuse("a ref that neither was nor is");
  if (!change.before.empty() && !change.after.empty() && change.before.size() != change.after.size())
    after.refuse("commit ids of two lengths");
  change.created = change.before.empty();
  change.deleted = change.after.empty();
  return change;
}

void add_changes(Hint& hint, std::vector<RefChange> changes) {
  hint.refs = std::move(changes);
  const auto is_in = [&hint](std::string_view kind) {
    return std::ranges::any_of(hint.refs,
                               [kind](const RefChange& change) { return change.ref.starts_with(kind); });
  };
  hint.event = is_in(kHeads) ? HintEvent::push : is_in(kTags) ? HintEvent::tag : HintEvent::other;
  if (hint.refs.size() == 1 && hint.head_commit.empty()) hint.head_commit = hint.refs.front().after;
}

std::string display_text(std::string_view text) {
  std::string shown;
  for (std::size_t at = 0; at < text.size();) {
    std::size_t end = at + 1;
    while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U) ++end;
    const std::string_view character = text.substr(at, end - at);
    at = end;
    const auto first = static_cast<unsigned char>(character.front());
    if (first < 0x20 || first == 0x7f || is_mark(character)) continue;
    if (shown.size() + character.size() > kLongestUser) break;
    shown += character;
  }
  return std::string(trim(shown));
}

std::string read_user(std::initializer_list<PayloadPlace> places) {
  for (const PayloadPlace& place : places) {
    if (const auto text = place.optional_text()) {
      std::string shown = display_text(*text);
      if (!shown.empty()) return shown;
    }
  }
  return {};
}

bool differ(const PayloadPlace& source_id, const PayloadPlace& target_id) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  return !source_id.exists() || source_id.number(0, kMost) != target_id.number(0, kMost);
}

PayloadValue read_or_refuse(std::string_view payload, std::span<const std::string_view> places) {
  PayloadError error;
  auto value = read_payload(payload, places, error);
  if (!value) throw Error(ErrorCode::invalid_input, "the payload cannot be read: " + error.message);
  return std::move(*value);
}

bool is_delivery_id(std::string_view id) noexcept {
  return !id.empty() && id.size() <= kLongestId &&
         std::ranges::all_of(id, [](char c) { return c > ' ' && c < '\x7f'; });
}

}  // namespace runner::triggers
