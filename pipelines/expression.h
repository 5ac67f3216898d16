#pragma once
// The expression language of `rules:if`, `only:variables` and input rules: compiled once, evaluated often.
// Pure. A compiled expression may be shared between threads.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "pipelines/regex.h"
#include "pipelines/variables.h"

namespace runner::pipelines {

/// null, a boolean, or text. A view: lives as long as what it was read from.
struct ExpressionValue {
  enum class Kind : std::uint8_t { null, boolean, text };
  Kind kind = Kind::null;
  bool boolean = false;
  std::string_view text;

  static ExpressionValue of(bool value) { return {Kind::boolean, value, {}}; }
  static ExpressionValue of_text(std::string_view value) { return {Kind::text, false, value}; }
  bool operator==(const ExpressionValue& other) const noexcept;
  /// As the result of a whole expression: null, false, "" and blanks are false.
  bool truthy() const noexcept;
};

enum class ExpressionDialect : std::uint8_t {
  rules,   // operands: $VAR, strings, patterns, null, true, false
  inputs,  // operands: $[[ inputs.x ]], strings, true, false
};

struct ExpressionError {
  std::string message;     // one sentence
  std::size_t offset = 0;  // into the text
};

/// What an expression can see.
struct ExpressionScope {
  const VariableSet* variables = nullptr;
  std::function<ExpressionValue(std::string_view name)> inputs;  // for $[[ inputs.name ]]
  RegexCache* regexes = nullptr;                                 // patterns that are values of variables
};

class Expression {
 public:
  /// Null with `error` set when the text is none.
  static std::shared_ptr<const Expression> compile(std::string_view text, ExpressionDialect dialect,
                                                   ExpressionError& error);
  ~Expression();

  bool evaluate(const ExpressionScope& scope) const;
  /// The value itself; texts live as long as this expression and the scope.
  ExpressionValue value(const ExpressionScope& scope) const;

  const std::string& text() const noexcept;
  /// Names of the variables (or inputs) it reads, each once, in order.
  const std::vector<std::string>& names() const noexcept;
  /// "$A is unset, $B is \"x\"": what evaluate() saw. Values of masked variables are not shown.
  std::string explain(const ExpressionScope& scope) const;
  /// Not empty: a comparison with `=~` has, on its right side, text that is no /pattern/, so it looks whether
  /// the left side occurs in that text, which is hardly ever meant. One sentence.
  std::string suspicious(const ExpressionScope& scope) const;

 private:
  struct Impl;
  explicit Expression(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// Compiled expressions by text: thousands of jobs share few. One planning, one cache; not thread-safe.
class ExpressionCache {
 public:
  struct Entry {
    std::shared_ptr<const Expression> expression;  // null: `error` says why
    ExpressionError error;
  };
  const Entry& find(std::string_view text);

 private:
  std::unordered_map<std::string, Entry> known_;
};

}  // namespace runner::pipelines
