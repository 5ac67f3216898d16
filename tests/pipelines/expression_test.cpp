#include "pipelines/expression.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace runner::pipelines {
namespace {

VariableSet variables() {
  VariableSet set;
  const auto add = [&](std::string name, std::string value, bool masked = false) {
    Variable made;
    made.name = std::move(name);
    made.value = std::move(value);
    made.masked = masked;
    set.add(std::move(made));
  };
  add("P", "my variable");
  add("E", "");
  add("BLANK", " ");
  add("RE", "/^v\\d+$/");
  add("BADRE", "/(/");
  add("PLAIN", "^v");
  add("VER", "v12");
  add("A", "x");
  add("B", "$A");
  add("SECRET", "hidden", true);
  return set;
}

std::shared_ptr<const Expression> compile(const std::string& text) {
  ExpressionError error;
  auto expression = Expression::compile(text, ExpressionDialect::rules, error);
  EXPECT_TRUE(expression) << text << ": " << error.message;
  return expression;
}

std::string show(const ExpressionValue& value) {
  switch (value.kind) {
    case ExpressionValue::Kind::null:
      return "null";
    case ExpressionValue::Kind::boolean:
      return value.boolean ? "true" : "false";
    default:
      return "'" + std::string(value.text) + "'";
  }
}

struct ValueCase {
  std::string text;
  std::string value;
  bool truth;
};

TEST(Expression, GivesTheValuesOfTheReferenceTable) {
  const VariableSet set = variables();
  RegexCache regexes;
  ExpressionScope scope;
  scope.variables = &set;
  scope.regexes = &regexes;
  const std::vector<ValueCase> cases = {
      {"$P", "'my variable'", true},
      {"$E", "''", false},
      {"$U", "null", false},
      {"$P && $E", "''", false},
      {"$E && $P", "'my variable'", true},
      {"$E || $P", "''", false},
      {"$U || $P", "'my variable'", true},
      {"$P && null || $E == \"\"", "true", true},
      {"\"a\" == (\"b\" || \"a\")", "false", false},
      {"$E == null", "false", false},
      {"$U == null", "true", true},
      {"$E == \"\"", "true", true},
      {"$U == \"\"", "false", false},
      {"$P =~ /VAR/i", "true", true},
      {"$U !~ /x.*/", "true", true},
      {"$U =~ /x.*/", "false", false},
      {"(\"a\" || \"b\") == \"a\"", "true", true},
      {"$P =~ /^var/", "false", false},
      // matches
      {"$VER =~ $RE", "true", true},
      {"$P =~ $RE", "false", false},
      {"$VER !~ $RE", "false", false},
      {"$P =~ $PLAIN", "false", false},
      {"\"v\" =~ $PLAIN", "true", true},
      {"\"23\" =~ \"1234\"", "true", true},
      {"\"(\" =~ $BADRE", "true", true},
      {"$VER =~ \"/^v/\"", "true", true},
      {"$VER !~ $U", "true", true},
      {"$VER =~ $U", "false", false},
      {"\"a/b\" =~ /a\\/b/", "true", true},
      {"$U =~ /^$/", "true", true},
      {"\"v1\nx\" =~ /^v1$/", "false", false},
      {"\"v1\nx\" =~ /^v1$/m", "true", true},
      {"\"a\nb\" =~ /a.b/s", "true", true},
      {"$P =~ /$X/", "false", false},
      // precedence and blanks
      {"\"a\" || null && null", "'a'", true},
      {"(\"a\"||null)&&null", "null", false},
      {"$P==\"my variable\"&&$A==\"x\"", "true", true},
      {"\n $A\t== 'x' ", "true", true},
      {"!$E", "true", true},
      {"!$P", "false", false},
      {"! ($A == \"y\") && $P", "'my variable'", true},
      {"$A == \"x\" == true", "true", true},
      {"($A == \"x\") == \"true\"", "false", false},
      {"null == false", "false", false},
      // truth of the whole
      {"\"false\"", "'false'", true},
      {"\"0\"", "'0'", true},
      {"$BLANK", "' '", false},
      {"$B == \"x\"", "false", false},
      {"$B == \"$A\"", "true", true},
      {"true", "true", true},
      {"false", "false", false},
      {"'it \"is\"'", "'it \"is\"'", true},
      {"$1", "null", false},
  };
  for (const ValueCase& test : cases) {
    const auto expression = compile(test.text);
    ASSERT_TRUE(expression);
    EXPECT_EQ(show(expression->value(scope)), test.value) << test.text;
    EXPECT_EQ(expression->evaluate(scope), test.truth) << test.text;
  }
}

struct ErrorCase {
  std::string text;
  std::string message;
};

TEST(Expression, RefusesWhatIsNoExpression) {
  const std::vector<ErrorCase> cases = {
      {"", "the expression is empty"},
      {"  ", "the expression is empty"},
      {"${VAR} == \"x\"", "invalid expression at '${VAR} == \"x\"'; write $NAME without braces"},
      {"$A = \"x\"", "invalid expression at '= \"x\"'; comparisons are ==, !=, =~ and !~"},
      {"$A =~ /x/", "invalid expression at '/x/'; a pattern is /.../ with at least two characters"},
      {"$A =~ //", "invalid expression at '//'; a pattern is /.../ with at least two characters"},
      {"$A == x", "invalid expression at 'x'; variables are written $NAME, texts in quotes"},
      {"$A == \"x", "invalid expression at '\"x'; the closing quote is missing"},
      {"$A & $B", "invalid expression at '& $B'; use && and ||"},
      {"$A > 1", "invalid expression at '> 1'"},
      {"$A == 1", "invalid expression at '1'"},
      {"nullx", "invalid expression at 'nullx'; variables are written $NAME, texts in quotes"},
      {"($A", "a closing ')' is missing"},
      {"$A)", "a ')' has no opening '('"},
      {"()", "an operand is missing before ')'"},
      {"$A $B", "an operator is missing between two operands"},
      {"$A == ", "the expression ends where an operand is expected"},
      {"== $A", "an operand is missing before '== $A'"},
      {"$A && && $B", "an operand is missing before '&& $B'"},
      {"!!$A", "'!' stands twice"},
      {"$A =~ /a(?=b)/",
       "the pattern /a(?=b)/ is invalid: the group '(?=' does not exist in RE2 (no look-around)"},
      {"$A =~ /a)b/", "the pattern /a)b/ is invalid: a ')' has no opening '('"},
      {"$A =~ /(ab/", "the pattern /(ab/ is invalid: a closing ')' is missing"},
      {"$A =~ /[ab/", "the pattern /[ab/ is invalid: a closing ']' is missing after '[ab'"},
      {"$A =~ /(a)\\1/",
       "the pattern /(a)\\1/ is invalid: the escape '\\1' is unknown (back-references do not exist in RE2)"},
      {"$A =~ /**/", "the pattern /**/ is invalid: there is nothing to repeat before '*'"},
      {"$[[ inputs.x ]]", "invalid expression at '$[[ inputs.x ]]'"},
  };
  for (const ErrorCase& test : cases) {
    ExpressionError error;
    EXPECT_FALSE(Expression::compile(test.text, ExpressionDialect::rules, error)) << test.text;
    EXPECT_EQ(error.message, test.message) << test.text;
  }
}

TEST(Expression, HasAtMostOneHundredParts) {
  std::string fits = "$A";
  for (int i = 0; i < 49; ++i) fits += "||$A";
  ExpressionError error;
  EXPECT_TRUE(Expression::compile(fits, ExpressionDialect::rules, error));
  EXPECT_FALSE(Expression::compile(fits + "||$A", ExpressionDialect::rules, error));
  EXPECT_EQ(error.message, "expression has more than 100 parts");
  EXPECT_FALSE(Expression::compile(std::string(100000, '('), ExpressionDialect::rules, error));
}

TEST(Expression, InputRulesReadInputsOnly) {
  ExpressionError error;
  const auto expression =
      Expression::compile("$[[ inputs.size ]] == 'big' && $[[inputs.on]]", ExpressionDialect::inputs, error);
  ASSERT_TRUE(expression) << error.message;
  ExpressionScope scope;
  scope.inputs = [](std::string_view name) {
    if (name == "size") return ExpressionValue::of_text("big");
    return name == "on" ? ExpressionValue::of(true) : ExpressionValue{};
  };
  EXPECT_TRUE(expression->evaluate(scope));
  EXPECT_EQ(expression->names(), (std::vector<std::string>{"size", "on"}));
  for (const char* text : {"$A == 'x'", "$[[ inputs.x ]] == null", "$[[ inputs.x ]] =~ /ab/", "$[[ other ]]"})
    EXPECT_FALSE(Expression::compile(text, ExpressionDialect::inputs, error)) << text;
}

TEST(Expression, ExplainsWhatItSaw) {
  const VariableSet set = variables();
  ExpressionScope scope;
  scope.variables = &set;
  EXPECT_EQ(compile("$A == \"x\" && $U || $A && $SECRET")->explain(scope),
            "$A is \"x\", $U is unset, $SECRET is set (masked)");
  EXPECT_EQ(compile("\"a\"")->explain(scope), "");
}

TEST(Expression, WarnsOfTextWhereAPatternIsMeant) {
  const VariableSet set = variables();
  ExpressionScope scope;
  scope.variables = &set;
  EXPECT_EQ(compile("$VER =~ $PLAIN")->suspicious(scope),
            "$PLAIN is no /pattern/, so the left side is searched for inside its text");
  EXPECT_EQ(compile("$VER =~ $RE")->suspicious(scope), "");
  EXPECT_EQ(compile("$VER =~ $U")->suspicious(scope), "");
}

TEST(ExpressionCache, CompilesOnceAndKeepsErrors) {
  ExpressionCache cache;
  const auto* first = cache.find("$A").expression.get();
  EXPECT_NE(first, nullptr);
  EXPECT_EQ(cache.find("$A").expression.get(), first);
  EXPECT_EQ(cache.find("$A =").expression, nullptr);
  EXPECT_NE(cache.find("$A =").error.message, "");
}

}  // namespace
}  // namespace runner::pipelines
