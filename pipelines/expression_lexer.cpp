#include "pipelines/expression_lexer.h"

#include "pipelines/variable_scan.h"

namespace runner::pipelines {
namespace {

constexpr std::size_t kMaxTokens = 100;

bool is_blank(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

std::size_t word_length(std::string_view text) {
  std::size_t length = 0;
  while (length < text.size() && is_name_character(text[length])) ++length;
  return length;
}

/// Each of these gives the bytes it takes at the start of `rest`, 0 when it does not fit.
std::size_t read_input(std::string_view rest, Token& token) {
  if (!rest.starts_with("$[[")) return 0;
  const std::size_t end = rest.find("]]");
  if (end == std::string_view::npos) return 0;
  std::string_view inside = rest.substr(3, end - 3);
  while (!inside.empty() && is_blank(inside.front())) inside.remove_prefix(1);
  while (!inside.empty() && is_blank(inside.back())) inside.remove_suffix(1);
  if (!inside.starts_with("inputs.") || inside.size() == 7) return 0;
  token.kind = TokenKind::input;
  token.text = inside.substr(7);
  return end + 2;
}

std::size_t read_variable(std::string_view rest, Token& token) {
  if (rest.front() != '$') return 0;
  const std::size_t length = word_length(rest.substr(1));
  if (length == 0) return 0;
  token.kind = TokenKind::variable;
  token.text = rest.substr(1, length);
  return length + 1;
}

std::size_t read_string(std::string_view rest, Token& token) {
  if (rest.front() != '"' && rest.front() != '\'') return 0;
  const std::size_t end = rest.find(rest.front(), 1);
  if (end == std::string_view::npos) return 0;
  token.kind = TokenKind::string;
  token.text = rest.substr(1, end - 1);
  return end + 1;
}

std::size_t read_regex(std::string_view rest, Token& token) {
  if (rest.front() != '/') return 0;
  std::size_t end = 1;
  while (end < rest.size() && (rest[end] != '/' || rest[end - 1] == '\\')) ++end;
  if (end >= rest.size() || end < 3) return 0;  // two characters at least
  std::size_t flags_end = end + 1;
  while (flags_end < rest.size() && std::string_view("ismU").find(rest[flags_end]) != std::string_view::npos)
    ++flags_end;
  token.kind = TokenKind::regex;
  token.text = rest.substr(1, end - 1);
  token.flags = rest.substr(end + 1, flags_end - end - 1);
  return flags_end;
}

std::size_t read_word(std::string_view rest, Token& token) {
  const std::string_view word = rest.substr(0, word_length(rest));
  if (word == "null") {
    token.kind = TokenKind::null;
  } else if (word == "true" || word == "false") {
    token.kind = TokenKind::boolean;
    token.boolean = word == "true";
  } else {
    return 0;
  }
  return word.size();
}

std::size_t read_symbol(std::string_view rest, Token& token) {
  struct Symbol {
    std::string_view text;
    TokenKind kind;
  };
  static constexpr Symbol kSymbols[] = {
      {"(", TokenKind::open},         {")", TokenKind::close},        {"==", TokenKind::equal},
      {"=~", TokenKind::match},       {"!=", TokenKind::not_equal},   {"!~", TokenKind::not_match},
      {"&&", TokenKind::conjunction}, {"||", TokenKind::disjunction}, {"!", TokenKind::negation},
  };
  for (const Symbol& symbol : kSymbols) {
    if (!rest.starts_with(symbol.text)) continue;
    token.kind = symbol.kind;
    return symbol.text.size();
  }
  return 0;
}

/// Why nothing fits here, when that is a usual mistake.
std::string usual_mistake(std::string_view rest) {
  if (rest.starts_with("${")) return "; write $NAME without braces";
  if (rest.starts_with("=")) return "; comparisons are ==, !=, =~ and !~";
  if (rest.starts_with("/")) return "; a pattern is /.../ with at least two characters";
  if (rest.starts_with("\"") || rest.starts_with("'")) return "; the closing quote is missing";
  if (rest.starts_with("&") || rest.starts_with("|")) return "; use && and ||";
  if (is_name_start(rest.front())) return "; variables are written $NAME, texts in quotes";
  return {};
}

std::size_t read_token(std::string_view rest, ExpressionDialect dialect, Token& token) {
  const bool inputs = dialect == ExpressionDialect::inputs;
  std::size_t length = inputs ? read_input(rest, token) : read_variable(rest, token);
  if (length == 0) length = read_string(rest, token);
  if (length == 0 && !inputs) length = read_regex(rest, token);
  if (length == 0) length = read_word(rest, token);
  if (length == 0) length = read_symbol(rest, token);
  if (inputs && token.kind == TokenKind::null) return 0;
  return length;
}

}  // namespace

bool read_tokens(std::string_view text, ExpressionDialect dialect, std::vector<Token>& tokens,
                 ExpressionError& error) {
  std::size_t at = 0;
  while (true) {
    while (at < text.size() && is_blank(text[at])) ++at;
    if (at == text.size()) return true;
    const std::string_view rest = text.substr(at);
    Token token;
    token.offset = at;
    const std::size_t length = read_token(rest, dialect, token);
    if (length == 0) {
      const std::string_view shown = rest.substr(0, 40);
      error = {"invalid expression at '" + std::string(shown) + (shown.size() < rest.size() ? "..." : "") +
                   "'" + usual_mistake(rest),
               at};
      return false;
    }
    if (tokens.size() == kMaxTokens) {
      error = {"expression has more than 100 parts", at};
      return false;
    }
    tokens.push_back(token);
    at += length;
  }
}

}  // namespace runner::pipelines
