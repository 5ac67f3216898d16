// The expression language of rules:if. An input is one expression.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "pipelines/expression.h"
#include "tests/fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace runner;
  using namespace runner::pipelines;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  VariableSet variables;
  variables.add({.name = "A", .value = "value", .source = VariableSource::root});
  variables.add({.name = "EMPTY", .value = "", .source = VariableSource::root});
  variables.add({.name = "PATTERN", .value = "/^v(a|b)*$/i", .source = VariableSource::root});
  RegexCache regexes;
  ExpressionScope scope;
  scope.variables = &variables;
  scope.regexes = &regexes;
  scope.inputs = [](std::string_view) { return ExpressionValue::of_text("input"); };
  for (const auto dialect : {ExpressionDialect::rules, ExpressionDialect::inputs}) {
    ExpressionError error;
    const auto expression = Expression::compile(text, dialect, error);
    if (!expression) {
      test::promise(!error.message.empty(), "a refused expression says why");
      test::promise(error.offset <= size, "the place of an error is in the text");
      continue;
    }
    test::promise(expression->evaluate(scope) == expression->evaluate(scope), "the same twice");
    test::promise(expression->value(scope).truthy() == expression->evaluate(scope),
                  "truth is that of the value");
    (void)expression->explain(scope);
    (void)expression->suspicious(scope);
  }
  return 0;
}
