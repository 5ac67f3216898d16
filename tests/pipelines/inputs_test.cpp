#include <gtest/gtest.h>

#include "tests/pipelines/reading_support.h"

namespace runner::pipelines {
namespace {

/// A root file that includes a.yml with these inputs; a.yml has this header and body.
std::string bound(const std::string& definitions, const std::string& given, const std::string& body) {
  LoadTest test(Files{{".gitlab-ci.yml", "include: {local: a.yml, inputs: " + given + "}\n"},
                      {"a.yml", "spec:\n  inputs: " + definitions + "\n---\n" + body + "\n"}});
  test.variables = {{.name = "P", .value = "project"}, {.name = "M", .value = "secret", .masked = true}};
  return test.result();
}

TEST(Inputs, ValuesAreBoundByTypeAndDefault) {
  EXPECT_EQ(bound("{x: }", "{x: v}", "k: $[[ inputs.x ]]"), "{\"k\": \"v\"}");
  EXPECT_EQ(bound("{x: {default: ''}}", "{}", "k: $[[ inputs.x ]]"), "{\"k\": \"\"}");
  EXPECT_EQ(bound("{x: {default: null}}", "{}", "k: $[[ inputs.x ]]"), "{\"k\": null}");
  EXPECT_EQ(bound("{x: {default: d}}", "{x: null}", "k: $[[ inputs.x ]]"), "{\"k\": \"d\"}");
  EXPECT_EQ(bound("{x: {type: boolean}}", "{x: false}", "allow_failure: $[[ inputs.x ]]"),
            "{\"allow_failure\": false}");
  EXPECT_EQ(bound("{x: {type: number}}", "{x: 0}", "k: $[[ inputs.x ]]"), "{\"k\": i0}");
  EXPECT_EQ(bound("{x: {type: array}}", "{x: [a, b]}", "needs: $[[ inputs.x ]]"),
            "{\"needs\": [\"a\", \"b\"]}");
}

TEST(Inputs, WrongValuesAreErrorsWithoutCoercion) {
  const std::string missing = "error bad-input 1:18 'a.yml': input 'x' has no value and no default\n";
  EXPECT_EQ(bound("{x: }", "{}", "k: 1"), missing);
  EXPECT_EQ(bound("{x: }", "{x: 5}", "k: 1"),
            "error bad-input 1:37 'a.yml': input 'x' expects a string, found an integer\n");
  EXPECT_EQ(bound("{x: {type: number}}", "{x: '5'}", "k: 1"),
            "error bad-input 1:37 'a.yml': input 'x' expects a number, found a string\n");
  EXPECT_EQ(bound("{x: {type: boolean, default: 1}}", "{}", "k: 1"),
            "error bad-input 2:40 'a.yml': default of input 'x' is not a boolean, found an integer\n");
  EXPECT_EQ(bound("{x: {type: array}}", "{x: [!reference [a]]}", "k: 1"),
            "error bad-input 1:37 'a.yml': input 'x': !reference cannot be used in a value\n");
  EXPECT_EQ(bound("{x: {options: [a, b]}}", "{x: c}", "k: 1"),
            "error bad-input 1:37 'a.yml': input 'x' must be one of 'a', 'b'\n");
  EXPECT_EQ(bound("{x: {options: [a], default: c}}", "{}", "k: 1"),
            "error bad-input 2:39 'a.yml': default of input 'x' must be one of 'a'\n");
  EXPECT_EQ(bound("{x: {regex: '^v\\d+$'}}", "{x: '$P'}", "k: 1"),
            "error bad-input 1:37 'a.yml': input 'x' does not match ^v\\d+$\n");
  EXPECT_EQ(bound("{x: {regex: '('}}", "{x: a}", "k: 1"),
            "error bad-input 2:23 'a.yml': input 'x': '(' is no valid regular expression\n");
  EXPECT_EQ(bound("{x: {default: a}}", "{y: 1}", "k: 1"),
            "error bad-input 1:34 'a.yml': unknown input 'y'\n");
  EXPECT_EQ(bound("{x: {type: int}}", "{x: 1}", "k: 1"),
            "error bad-input 2:22 'a.yml': input 'x' has unknown type 'int'\n");
  EXPECT_EQ(
      LoadTest(Files{{".gitlab-ci.yml", "include: {local: a.yml, inputs: {x: 1}}\n"}, {"a.yml", "k: 1\n"}})
          .result(),
      "error bad-input 1:33 'a.yml': takes no inputs\n");
}

TEST(Inputs, TextsForTheRootFileAreParsedByType) {
  const auto root = [](const std::string& type, const std::string& text) {
    LoadTest test(
        Files{{".gitlab-ci.yml", "spec: {inputs: {x: {type: " + type + "}}}\n---\nk: $[[ inputs.x ]]\n"}});
    test.inputs = {{"x", text}};
    return test.result("k");
  };
  EXPECT_EQ(root("string", "5"), "\"5\"");
  EXPECT_EQ(root("number", "5"), "i5");
  EXPECT_EQ(root("number", "1.50"), "r1.5");
  EXPECT_EQ(root("boolean", "false"), "false");
  EXPECT_EQ(root("array", "[\"a\", 1]"), "[\"a\", i1]");
  EXPECT_EQ(root("number", "five"),
            "error bad-input 0:0 '.gitlab-ci.yml': input 'x' expects a number, 'five' is none\n");
  EXPECT_EQ(root("number", "\"5\"").substr(0, 15), "error bad-input");
  EXPECT_EQ(root("array", std::string(100000, '[')).substr(0, 15), "error bad-input");
}

TEST(Inputs, RulesGiveOptionsAndDefaultsInOrder) {
  const std::string rules =
      "{flag: {type: boolean, default: false}, x: {rules: [{if: '$[[ inputs.flag ]]', default: on-flag}, "
      "{default: other}]}}";
  EXPECT_EQ(bound(rules, "{flag: true}", "k: $[[ inputs.x ]]"), "{\"k\": \"on-flag\"}");
  EXPECT_EQ(bound(rules, "{}", "k: $[[ inputs.x ]]"), "{\"k\": \"other\"}");
  EXPECT_EQ(bound("{x: {rules: [{options: [a, b], default: a}]}}", "{x: c}", "k: 1"),
            "error bad-input 1:37 'a.yml': input 'x' must be one of 'a', 'b'\n");
  EXPECT_EQ(bound("{x: {default: d, rules: [{default: null}]}}", "{}", "k: 1"),
            "error bad-input 1:18 'a.yml': input 'x' has no value and no default\n");
  EXPECT_EQ(bound("{x: {rules: [{if: '$[[ inputs.y ]]', default: a}], default: z}, y: {rules: [{if: '$[[ "
                  "inputs.x ]]', default: a}], default: z}}",
                  "{}", "k: 1"),
            "error bad-input 2:12 'a.yml': rules of input 'x' form a cycle\n");
}

TEST(Interpolation, BlocksInsideTexts) {
  EXPECT_EQ(
      bound("{n: {type: number}, b: {type: boolean}, a: {type: array}}", "{n: 1.50, b: true, a: [x, 1]}",
            "k: n=$[[ inputs.n ]] b=$[[inputs.b]] a=$[[   inputs.a   ]]"),
      "{\"k\": \"n=1.5 b=true a=[\"x\",1]\"}");
  EXPECT_EQ(
      bound("{p: }", "{p: pre}", "'$[[ inputs.p ]]-job': {script: ['$[[ inputs.p ]] $[[ inputs.p ]]']}"),
      "{\"pre-job\": {\"script\": [\"pre pre\"]}}");
  EXPECT_EQ(bound("{p: }", "{p: \"a: b\\n- c\"}", "k: $[[ inputs.p ]]\nl: x$[[ inputs.p ]]"),
            "{\"k\": \"a: b\n- c\", \"l\": \"xa: b\n- c\"}");
  EXPECT_EQ(bound("{p: }", "{p: '$[[ inputs.p ]]'}", "k: $[[ inputs.p ]]"), "{\"k\": \"$[[ inputs.p ]]\"}");
  EXPECT_EQ(bound("{p: {default: a}}", "{}", "k: '$[[ inputs.p'\nl: $[[ matrix.X ]]"),
            "{\"k\": \"$[[ inputs.p\", \"l\": \"$[[ matrix.X ]]\"}");
  EXPECT_EQ(LoadTest(Files{{".gitlab-ci.yml", "k: $[[ inputs.x ]]\n"}}).result(),
            "{\"k\": \"$[[ inputs.x ]]\"}");
}

TEST(Interpolation, Functions) {
  const auto call = [](const std::string& value, const std::string& functions) {
    return bound("{x: }", "{x: \"" + value + "\"}", "k: \"$[[ inputs.x | " + functions + " ]]\"");
  };
  EXPECT_EQ(call("0123456789", "truncate(3,5)"), "{\"k\": \"34567\"}");
  EXPECT_EQ(call("\xC3\xA4\xC3\xB6\xC3\xBC", "truncate( 1 , 1 )"), "{\"k\": \"\xC3\xB6\"}");
  EXPECT_EQ(call("abc", "truncate(5,5)"), "{\"k\": \"\"}");
  EXPECT_EQ(call("$P ${P} $M $U $", "expand_vars"), "{\"k\": \"project project $M $U $\"}");
  EXPECT_EQ(call("$P-x", "expand_vars | truncate(0,4)"), "{\"k\": \"proj\"}");
  EXPECT_EQ(call("a b;$c", "posix_escape"), "{\"k\": \"a\\ b\\;\\$c\"}");
  EXPECT_EQ(call("", "posix_escape"), "{\"k\": \"''\"}");
  EXPECT_EQ(call("a| b ||c", "split('|')"), "{\"k\": [\"a\", \"b\", \"c\"]}");
  EXPECT_EQ(call("x", "shout"), "error bad-interpolation 4:4 no function matches 'shout'\n");
  EXPECT_EQ(call("x", "truncate(1)"), "error bad-interpolation 4:4 no function matches 'truncate(1)'\n");
  EXPECT_EQ(call("x", "split('')"), "error bad-interpolation 4:4 separator of 'split' is empty\n");
  EXPECT_EQ(call("x", "expand_vars | expand_vars | expand_vars | expand_vars").substr(0, 47),
            "error bad-interpolation 4:4 too many functions ");
  EXPECT_EQ(bound("{x: {type: number}}", "{x: 1}", "k: $[[ inputs.x | truncate(0,1) ]]"),
            "error bad-interpolation 4:4 'truncate' can be used with a string only, found an integer\n");
}

TEST(Interpolation, BombsAreRefused) {
  std::string body;
  for (int i = 0; i < 100; ++i) body += "k" + std::to_string(i) + ": x$[[ inputs.x ]]\n";
  EXPECT_EQ(bound("{x: }", "{x: " + std::string(1U << 20U, 'y') + "}", body),
            "error bad-interpolation 36:6 the file becomes too large when its blocks are replaced\n");
}

TEST(Inputs, DefinitionsFromOtherFiles) {
  EXPECT_EQ(LoadTest(Files{{".gitlab-ci.yml",
                            "spec:\n  include: [{local: i.yml}]\n  inputs: {b: {default: 2, type: "
                            "number}}\n---\nk: [$[[ inputs.a ]], $[[ inputs.b ]]]\n"},
                           {"i.yml", "inputs: {a: {default: one}}\n"}})
                .result()
                .substr(0, 5),
            "error");  // unquoted in a flow list
  const std::string body = "---\nk: ['$[[ inputs.a ]]', '$[[ inputs.b ]]']\n";
  EXPECT_EQ(
      LoadTest(
          Files{{".gitlab-ci.yml",
                 "spec:\n  include: [{local: i.yml}]\n  inputs: {b: {default: 2, type: number}}\n" + body},
                {"i.yml", "inputs: {a: {default: one}}\n"}})
          .result(),
      "{\"k\": [\"one\", i2]}");
  EXPECT_EQ(LoadTest(Files{{".gitlab-ci.yml",
                            "spec:\n  include: [{local: i.yml}]\n  inputs: {a: {default: x}}\n" + body},
                           {"i.yml", "inputs: {a: {default: one}}\n"}})
                .result(),
            "error bad-input 3:12 '.gitlab-ci.yml': duplicate input keys: a\n");
}

}  // namespace
}  // namespace runner::pipelines
