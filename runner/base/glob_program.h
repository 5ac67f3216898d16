#pragma once
// Inside of Glob: a pattern as a small non-deterministic automaton. Braces become forks that join again, so
// that nested alternatives cost their length and not their product. Used by glob.cpp only.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace runner::glob_detail {

/// One code point of `text` from `at` on, which moves behind it. A byte that is no UTF-8 gives a value of its
/// own beyond Unicode.
char32_t next_code_point(std::string_view text, std::size_t& at) noexcept;

enum class Op : std::uint8_t {
  character,  // exactly `value`
  any,        // one, not '/'
  star,       // a run without '/'
  globstar,   // two stars: any number of directories where they are a whole part, else star
  set,        // one of sets[value], never '/'
  fork,       // continue at next and at each of targets[value]
  jump,       // continue at `value`
  end,
};

struct Instruction {
  Op op = Op::end;
  char32_t value = 0;
};

struct CharacterSet {
  bool negated = false;
  std::vector<std::pair<char32_t, char32_t>> ranges;
  bool contains(char32_t c) const noexcept;
};

struct Program {
  std::vector<Instruction> code;  // the last one is `end`
  std::vector<CharacterSet> sets;
  std::vector<std::vector<std::size_t>> targets;
  bool literal = true;  // only characters
  std::string plain;    // what the characters before the first magic one spell
};

Program compile(std::string_view pattern);

}  // namespace runner::glob_detail
