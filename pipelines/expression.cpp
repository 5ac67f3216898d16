#include "pipelines/expression.h"

#include <algorithm>
#include <utility>

#include "pipelines/expression_lexer.h"
#include "runner/base/text.h"

namespace runner::pipelines {
namespace {

constexpr std::size_t kNone = static_cast<std::size_t>(-1);

/// One node of the tree; children are indexes into the same vector.
struct Term {
  TokenKind kind = TokenKind::null;
  std::size_t left = kNone;
  std::size_t right = kNone;
  std::string text;  // name or text
  bool boolean = false;
  std::shared_ptr<const Regex> regex;
};

bool is_comparison(TokenKind kind) {
  return kind == TokenKind::equal || kind == TokenKind::not_equal || kind == TokenKind::match ||
         kind == TokenKind::not_match;
}

/// Recursive descent; at most 100 tokens, so the depth is bounded.
class Parser {
 public:
  Parser(std::string_view text, const std::vector<Token>& tokens, std::vector<Term>& terms)
      : text_(text), tokens_(tokens), terms_(terms) {}

  std::size_t parse() {
    const std::size_t root = disjunction();
    if (failed_) return kNone;
    if (next_ < tokens_.size()) {
      fail(tokens_[next_].kind == TokenKind::close ? "a ')' has no opening '('"
                                                   : "an operator is missing between two operands");
      return kNone;
    }
    return root;
  }

  const ExpressionError& error() const { return error_; }

 private:
  bool at(TokenKind kind) const { return next_ < tokens_.size() && tokens_[next_].kind == kind; }

  std::size_t fail(std::string message) {
    if (!failed_)
      error_ = {std::move(message), next_ < tokens_.size() ? tokens_[next_].offset : text_.size()};
    failed_ = true;
    return kNone;
  }

  std::size_t add(Term term) {
    terms_.push_back(std::move(term));
    return terms_.size() - 1;
  }

  std::size_t binary(TokenKind kind, std::size_t left, std::size_t right) {
    Term term;
    term.kind = kind;
    term.left = left;
    term.right = right;
    return add(std::move(term));
  }

  std::size_t disjunction() {
    std::size_t left = conjunction();
    while (!failed_ && at(TokenKind::disjunction)) {
      ++next_;
      const std::size_t right = conjunction();
      left = binary(TokenKind::disjunction, left, right);
    }
    return left;
  }

  std::size_t conjunction() {
    std::size_t left = comparison();
    while (!failed_ && at(TokenKind::conjunction)) {
      ++next_;
      const std::size_t right = comparison();
      left = binary(TokenKind::conjunction, left, right);
    }
    return left;
  }

  std::size_t comparison() {
    std::size_t left = unary();
    while (!failed_ && next_ < tokens_.size() && is_comparison(tokens_[next_].kind)) {
      const TokenKind kind = tokens_[next_++].kind;
      const std::size_t right = unary();
      left = binary(kind, left, right);
    }
    return left;
  }

  std::size_t unary() {
    bool negate = false;
    while (at(TokenKind::negation)) {
      negate = !negate;
      ++next_;
      if (at(TokenKind::negation)) return fail("'!' stands twice");
    }
    const std::size_t operand = primary();
    return negate ? binary(TokenKind::negation, operand, kNone) : operand;
  }

  std::size_t primary() {
    if (next_ == tokens_.size()) return fail("the expression ends where an operand is expected");
    const Token& token = tokens_[next_];
    Term term;
    term.kind = token.kind;
    switch (token.kind) {
      case TokenKind::open:
        return group();
      case TokenKind::variable:
      case TokenKind::input:
      case TokenKind::string:
        term.text = token.text;
        break;
      case TokenKind::boolean:
        term.boolean = token.boolean;
        break;
      case TokenKind::null:
        break;
      case TokenKind::regex: {
        std::string why;
        term.regex = Regex::compile(token.text, token.flags, why);
        if (!term.regex) return fail("the pattern /" + std::string(token.text) + "/ is invalid: " + why);
        term.text = token.text;
        break;
      }
      default:
        return fail("an operand is missing before '" + rest_of(token) + "'");
    }
    ++next_;
    return add(std::move(term));
  }

  std::size_t group() {
    ++next_;
    const std::size_t inner = disjunction();
    if (failed_) return kNone;
    if (!at(TokenKind::close)) return fail("a closing ')' is missing");
    ++next_;
    return inner;
  }

  std::string rest_of(const Token& token) const { return std::string(text_.substr(token.offset, 20)); }

  std::string_view text_;
  const std::vector<Token>& tokens_;
  std::vector<Term>& terms_;
  std::size_t next_ = 0;
  bool failed_ = false;
  ExpressionError error_;
};

std::string_view as_text(const ExpressionValue& value) {
  switch (value.kind) {
    case ExpressionValue::Kind::text:
      return value.text;
    case ExpressionValue::Kind::boolean:
      return value.boolean ? "true" : "false";
    default:
      return {};
  }
}

bool is_null_or_false(const ExpressionValue& value) {
  return value.kind == ExpressionValue::Kind::null ||
         (value.kind == ExpressionValue::Kind::boolean && !value.boolean);
}

class Evaluator {
 public:
  Evaluator(const std::vector<Term>& terms, const ExpressionScope& scope) : terms_(terms), scope_(scope) {}

  ExpressionValue value(std::size_t index) {
    const Term& term = terms_[index];
    switch (term.kind) {
      case TokenKind::variable: {
        const Variable* variable = scope_.variables == nullptr ? nullptr : scope_.variables->find(term.text);
        return variable == nullptr ? ExpressionValue{} : ExpressionValue::of_text(variable->value);
      }
      case TokenKind::input:
        return scope_.inputs ? scope_.inputs(term.text) : ExpressionValue{};
      case TokenKind::string:
      case TokenKind::regex:
        return ExpressionValue::of_text(term.text);
      case TokenKind::boolean:
        return ExpressionValue::of(term.boolean);
      case TokenKind::negation:
        return ExpressionValue::of(!value(term.left).truthy());
      case TokenKind::conjunction: {
        const ExpressionValue left = value(term.left);
        return is_null_or_false(left) ? left : value(term.right);
      }
      case TokenKind::disjunction: {
        const ExpressionValue left = value(term.left);
        return is_null_or_false(left) ? value(term.right) : left;
      }
      case TokenKind::equal:
        return ExpressionValue::of(value(term.left) == value(term.right));
      case TokenKind::not_equal:
        return ExpressionValue::of(!(value(term.left) == value(term.right)));
      case TokenKind::match:
        return ExpressionValue::of(matches(term));
      case TokenKind::not_match:
        return ExpressionValue::of(!matches(term));
      default:
        return {};
    }
  }

  /// The right side of a match when it is plain text instead of a pattern.
  const Term* plain_right_side(const Term& term) {
    if (term.kind != TokenKind::match && term.kind != TokenKind::not_match) return nullptr;
    const Term& right = terms_[term.right];
    if (right.regex) return nullptr;
    const ExpressionValue pattern = value(term.right);
    if (pattern.kind == ExpressionValue::Kind::null || pattern_of(pattern) != nullptr) return nullptr;
    return &right;
  }

 private:
  const Regex* pattern_of(const ExpressionValue& value) {
    RegexCache& cache = scope_.regexes == nullptr ? own_regexes_ : *scope_.regexes;
    return value.kind == ExpressionValue::Kind::text ? cache.find(value.text) : nullptr;
  }

  bool matches(const Term& term) {
    const ExpressionValue left = value(term.left);
    const std::string_view text = as_text(left);
    const Term& right = terms_[term.right];
    if (right.regex) return right.regex->found_in(text);
    const ExpressionValue pattern = value(term.right);
    if (pattern.kind == ExpressionValue::Kind::null) return false;
    if (const Regex* regex = pattern_of(pattern)) return regex->found_in(text);
    return as_text(pattern).find(text) != std::string_view::npos;
  }

  const std::vector<Term>& terms_;
  const ExpressionScope& scope_;
  RegexCache own_regexes_;
};

std::string shown(const Variable& variable) {
  constexpr std::size_t kMaxShown = 60;
  if (variable.masked) return "set (masked)";
  if (variable.value.size() <= kMaxShown) return "\"" + variable.value + "\"";
  return "\"" + variable.value.substr(0, kMaxShown) + "...\"";
}

}  // namespace

bool ExpressionValue::operator==(const ExpressionValue& other) const noexcept {
  if (kind != other.kind) return false;
  if (kind == Kind::text) return text == other.text;
  return kind == Kind::null || boolean == other.boolean;
}

bool ExpressionValue::truthy() const noexcept {
  if (kind == Kind::text) return !trim(text).empty();
  return kind == Kind::boolean && boolean;
}

struct Expression::Impl {
  std::string text;
  std::vector<Term> terms;
  std::size_t root = kNone;
  std::vector<std::string> names;
};

Expression::Expression(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Expression::~Expression() = default;

std::shared_ptr<const Expression> Expression::compile(std::string_view text, ExpressionDialect dialect,
                                                      ExpressionError& error) {
  auto impl = std::make_unique<Impl>();
  impl->text = text;
  std::vector<Token> tokens;
  if (!read_tokens(impl->text, dialect, tokens, error)) return nullptr;
  if (tokens.empty()) {
    error = {"the expression is empty", 0};
    return nullptr;
  }
  Parser parser(impl->text, tokens, impl->terms);
  impl->root = parser.parse();
  if (impl->root == kNone) {
    error = parser.error();
    return nullptr;
  }
  for (const Token& token : tokens) {
    if (token.kind != TokenKind::variable && token.kind != TokenKind::input) continue;
    std::string name(token.text);
    if (std::find(impl->names.begin(), impl->names.end(), name) == impl->names.end())
      impl->names.push_back(std::move(name));
  }
  return std::shared_ptr<const Expression>(new Expression(std::move(impl)));
}

bool Expression::evaluate(const ExpressionScope& scope) const {
  return value(scope).truthy();
}

ExpressionValue Expression::value(const ExpressionScope& scope) const {
  return Evaluator(impl_->terms, scope).value(impl_->root);
}

const std::string& Expression::text() const noexcept {
  return impl_->text;
}
const std::vector<std::string>& Expression::names() const noexcept {
  return impl_->names;
}

std::string Expression::explain(const ExpressionScope& scope) const {
  std::string out;
  for (const std::string& name : impl_->names) {
    const Variable* variable = scope.variables == nullptr ? nullptr : scope.variables->find(name);
    out += (out.empty() ? "$" : ", $") + name + " is " + (variable == nullptr ? "unset" : shown(*variable));
  }
  return out;
}

std::string Expression::suspicious(const ExpressionScope& scope) const {
  Evaluator evaluator(impl_->terms, scope);
  for (const Term& term : impl_->terms) {
    const Term* right = evaluator.plain_right_side(term);
    if (right == nullptr) continue;
    const std::string name = right->kind == TokenKind::variable ? "$" + right->text : "the right side";
    return name + " is no /pattern/, so the left side is searched for inside its text";
  }
  return {};
}

const ExpressionCache::Entry& ExpressionCache::find(std::string_view text) {
  const auto [place, added] = known_.try_emplace(std::string(text));
  if (added)
    place->second.expression = Expression::compile(text, ExpressionDialect::rules, place->second.error);
  return place->second;
}

}  // namespace runner::pipelines
