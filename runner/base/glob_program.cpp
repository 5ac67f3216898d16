#include "runner/base/glob_program.h"

#include <algorithm>
#include <optional>

namespace runner::glob_detail {
namespace {

constexpr std::size_t kNone = static_cast<std::size_t>(-1);

/// The class that starts at `at` (a '['), and the place behind its ']'; nullopt when it is none.
std::optional<std::pair<CharacterSet, std::size_t>> parse_set(std::string_view pattern, std::size_t at) {
  CharacterSet set;
  ++at;
  if (at < pattern.size() && (pattern[at] == '!' || pattern[at] == '^')) {
    set.negated = true;
    ++at;
  }
  const auto take = [&]() -> std::optional<char32_t> {
    if (at < pattern.size() && pattern[at] == '\\') ++at;
    if (at >= pattern.size()) return std::nullopt;
    return next_code_point(pattern, at);
  };
  while (at < pattern.size() && pattern[at] != ']') {
    const auto low = take();
    if (!low) return std::nullopt;
    auto high = low;
    if (at + 1 < pattern.size() && pattern[at] == '-' && pattern[at + 1] != ']') {
      ++at;
      high = take();
      if (!high) return std::nullopt;
    }
    set.ranges.emplace_back(*low, *high);
  }
  if (at >= pattern.size() || set.ranges.empty()) return std::nullopt;
  return std::pair(std::move(set), at + 1);
}

/// For every '[' that opens a class the place behind it, else kNone. Linear: without any ']' ahead none is
/// tried.
class SetFinder {
 public:
  explicit SetFinder(std::string_view pattern) : pattern_(pattern), last_close_(pattern.rfind(']')) {}
  std::optional<std::pair<CharacterSet, std::size_t>> find(std::size_t at) const {
    if (last_close_ == std::string_view::npos || at > last_close_) return std::nullopt;
    return parse_set(pattern_, at);
  }

 private:
  std::string_view pattern_;
  std::size_t last_close_;
};

/// For every '{' that counts the place of its '}'. From the first '{' without a partner on, all are plain
/// text.
std::vector<std::size_t> match_braces(std::string_view pattern, const SetFinder& sets) {
  std::vector<std::size_t> partner(pattern.size(), kNone);
  std::vector<std::size_t> open;
  for (std::size_t at = 0; at < pattern.size(); ++at) {
    const char c = pattern[at];
    if (c == '\\') {
      ++at;
    } else if (c == '[') {
      if (const auto set = sets.find(at)) at = set->second - 1;
    } else if (c == '{') {
      open.push_back(at);
    } else if (c == '}' && !open.empty()) {
      partner[open.back()] = at;
      open.pop_back();
    }
  }
  if (!open.empty())
    std::fill(partner.begin() + static_cast<std::ptrdiff_t>(open.front()), partner.end(), kNone);
  return partner;
}

class Compiler {
 public:
  explicit Compiler(std::string_view pattern)
      : pattern_(pattern), sets_(pattern), partner_(match_braces(pattern, sets_)) {}

  Program run() {
    while (at_ < pattern_.size()) step();
    emit(Op::end);
    return std::move(program_);
  }

 private:
  struct Group {
    std::size_t close;                // place of the '}'
    std::size_t fork;                 // index into targets
    std::vector<std::size_t> leaves;  // jumps to the end of the group, to be filled in
  };

  void emit(Op op, char32_t value = 0) { program_.code.push_back(Instruction{op, value}); }

  void emit_magic(Op op, char32_t value = 0) {
    program_.literal = false;
    emit(op, value);
  }

  void emit_character() {
    const std::size_t start = at_;
    emit(Op::character, next_code_point(pattern_, at_));
    if (program_.literal) program_.plain += pattern_.substr(start, at_ - start);
  }

  void step() {
    const char c = pattern_[at_];
    switch (c) {
      case '\\':
        if (at_ + 1 < pattern_.size()) ++at_;
        emit_character();
        return;
      case '?':
        ++at_;
        emit_magic(Op::any);
        return;
      case '*':
        step_star();
        return;
      case '[':
        step_set();
        return;
      case '{':
        step_open();
        return;
      case ',':
        if (!groups_.empty()) return step_comma();
        break;
      case '}':
        if (!groups_.empty() && groups_.back().close == at_) return step_close();
        break;
      default:
        break;
    }
    emit_character();
  }

  void step_star() {
    const std::size_t start = at_;
    while (at_ < pattern_.size() && pattern_[at_] == '*') ++at_;
    emit_magic(at_ - start == 2 ? Op::globstar : Op::star);
  }

  void step_set() {
    auto set = sets_.find(at_);
    if (!set) return emit_character();
    at_ = set->second;
    emit_magic(Op::set, static_cast<char32_t>(program_.sets.size()));
    program_.sets.push_back(std::move(set->first));
  }

  void step_open() {
    if (partner_[at_] == kNone) return emit_character();
    groups_.push_back(Group{partner_[at_], program_.targets.size(), {}});
    emit_magic(Op::fork, static_cast<char32_t>(program_.targets.size()));
    program_.targets.emplace_back();
    ++at_;
  }

  void step_comma() {
    groups_.back().leaves.push_back(program_.code.size());
    emit_magic(Op::jump);
    program_.targets[groups_.back().fork].push_back(program_.code.size());
    ++at_;
  }

  void step_close() {
    for (const std::size_t leaf : groups_.back().leaves) {
      program_.code[leaf].value = static_cast<char32_t>(program_.code.size());
    }
    groups_.pop_back();
    ++at_;
  }

  std::string_view pattern_;
  SetFinder sets_;
  std::vector<std::size_t> partner_;
  std::size_t at_ = 0;
  std::vector<Group> groups_;
  Program program_;
};

}  // namespace

char32_t next_code_point(std::string_view text, std::size_t& at) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(at);
  const std::size_t length = first < 0x80U    ? 1
                             : first < 0xc2U  ? 0
                             : first < 0xe0U  ? 2
                             : first < 0xf0U  ? 3
                             : first <= 0xf4U ? 4
                                              : 0;
  if (length == 1) {
    ++at;
    return first;
  }
  char32_t value = first & (0x7fU >> length);
  bool good = length != 0 && at + length <= text.size();
  for (std::size_t i = 1; good && i < length; ++i) {
    good = (byte(at + i) & 0xc0U) == 0x80U;
    value = (value << 6U) | (byte(at + i) & 0x3fU);
  }
  if (!good) {
    ++at;
    return 0x110000U + first;
  }
  at += length;
  return value;
}

bool CharacterSet::contains(char32_t c) const noexcept {
  const bool inside = std::any_of(ranges.begin(), ranges.end(),
                                  [c](const auto& range) { return range.first <= c && c <= range.second; });
  return inside != negated;
}

Program compile(std::string_view pattern) {
  return Compiler(pattern).run();
}

}  // namespace runner::glob_detail
