#pragma once
// Tokens of the expression language. Internal to expression*.cpp.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/expression.h"

namespace runner::pipelines {

enum class TokenKind : std::uint8_t {
  open,
  close,
  input,
  variable,
  string,
  regex,
  null,
  boolean,
  equal,
  match,
  not_equal,
  not_match,
  conjunction,
  disjunction,
  negation,
};

struct Token {
  TokenKind kind = TokenKind::open;
  std::size_t offset = 0;
  std::string_view text;   // name of a variable or input, content of a string, pattern of a regex
  std::string_view flags;  // of a regex
  bool boolean = false;
};

/// False with `error` set when something is no token, or there are more than 100.
bool read_tokens(std::string_view text, ExpressionDialect dialect, std::vector<Token>& tokens,
                 ExpressionError& error);

}  // namespace runner::pipelines
