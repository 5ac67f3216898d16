#include "pipelines/document.h"

#include <gtest/gtest.h>

#include "tests/pipelines/reading_support.h"

namespace runner::pipelines {
namespace {

std::string loaded(std::string_view text, std::string_view entry = {}) {
  return LoadTest(Files{{".gitlab-ci.yml", std::string(text)}}).result(entry);
}

TEST(Document, ShapesOfFiles) {
  EXPECT_EQ(loaded("a: {script: x}\n"), "{\"a\": {\"script\": \"x\"}}");
  EXPECT_EQ(loaded("---\na: 1\n"), "{\"a\": i1}");
  EXPECT_EQ(loaded("a: 1\n---\n"), "{\"a\": i1}");
  EXPECT_EQ(loaded("spec:\n---\na: 1\n"), "{\"a\": i1}");
  EXPECT_EQ(loaded("- a\n"), "error not-a-mapping 1:1 configuration must be a map, found a list\n");
  EXPECT_EQ(loaded("text\n"), "error not-a-mapping 1:1 configuration must be a map, found a string\n");
  EXPECT_EQ(loaded("# nothing\n"),
            "error empty-file 1:1 no pipeline configuration found: '.gitlab-ci.yml' is empty\n");
  EXPECT_EQ(loaded("spec: {}\na: 1\n---\nb: 1\n"),
            "error bad-header 2:1 header may contain only 'spec', found 'a'\n");
  EXPECT_EQ(loaded("a: 1\n---\nb: 1\n"), "error bad-header 1:1 header may contain only 'spec', found 'a'\n");
  EXPECT_EQ(loaded("spec: {}\na: 1\n"),
            "error misplaced-spec 1:1 'spec' must be in its own document, end it with ---\n");
  EXPECT_EQ(loaded("spec: {inptus: {}}\n---\na: 1\n"),
            "error unknown-key 1:8 'spec' has unknown key 'inptus'\n");
}

TEST(Extends, MergesParentsInOrderAndTheJobOnTop) {
  EXPECT_EQ(loaded(".a: {x: 1, s: [a]}\n.b: {x: 2, y: 3}\nj: {extends: [.a, .b], s: [j]}\n", "j"),
            "{\"x\": i2, \"s\": [\"j\"], \"y\": i3}");
  EXPECT_EQ(loaded(".a: {m: {n: {o: 1, p: [1]}}}\nj: {extends: .a, m: {n: {p: [2], q: 3}}}\n", "j"),
            "{\"m\": {\"n\": {\"o\": i1, \"p\": [i2], \"q\": i3}}}");
  EXPECT_EQ(loaded(".a: {k: 1, m: {n: 1}}\nj: {extends: .a, k: null, m: {}}\n", "j"),
            "{\"k\": null, \"m\": {\"n\": i1}}");
  EXPECT_EQ(loaded("v: {k: 1}\nj: {extends: v}\n", "j"), "{\"k\": i1}");
  EXPECT_EQ(loaded("j: {extends: null, k: 1}\n", "j"), "{\"k\": i1}");
}

std::string extends_chain(int levels) {
  std::string text = ".a1: {script: x}\n";
  for (int i = 2; i <= levels; ++i) {
    text += ".a" + std::to_string(i) + ": {extends: .a" + std::to_string(i - 1) + "}\n";
  }
  return text;
}

TEST(Extends, ElevenLevelsAreTheLimit) {
  EXPECT_EQ(loaded(extends_chain(11), ".a11"), "{\"script\": \"x\"}");
  EXPECT_EQ(loaded(extends_chain(12)),
            "error extends-too-deep 12:17 '.a12': extends nested too deeply (limit 11)\n");
  EXPECT_EQ(loaded(extends_chain(14)),
            "error extends-too-deep 12:17 '.a12': extends nested too deeply (limit 11)\n");
}

TEST(Extends, MistakesAreReportedAtTheName) {
  EXPECT_EQ(loaded("a: {extends: b}\nb: {extends: a}\n"),
            "error extends-cycle 2:14 'b': extends forms a cycle (a -> b -> a)\n");
  EXPECT_EQ(loaded("a: {extends: a}\n"), "error extends-cycle 1:14 'a': extends forms a cycle (a -> a)\n");
  EXPECT_EQ(loaded("a: {extends: .x}\nb: {extends: [.l]}\n.l: [1]\nc: {extends: 3}\n"),
            "error unknown-extends 1:14 'a': extends unknown entry '.x'\n"
            "error extends-not-a-mapping 2:15 'b': extends an entry that is not a mapping ('.l' is a list)\n"
            "error bad-extends 4:14 'c': extends must be a name or a list of names, found an integer\n");
}

TEST(Extends, BrokenEntriesAreNamed) {
  LoadTest test(Files{{".gitlab-ci.yml",
                       ".b: {extends: .nope}\nj: {extends: .b}\nr: {script: !reference [.b, x]}\nok: {}\n"}});
  test.load();
  ASSERT_TRUE(test.document);
  EXPECT_EQ(test.document->broken, (std::unordered_set<std::string_view>{".b", "j", "r"}));
  EXPECT_EQ(test.diagnostics.error_count(), 1U);
}

TEST(Reference, IsReplacedAfterExtends) {
  EXPECT_EQ(loaded(".s: {script: [a, b]}\nj: {script: [x, !reference [.s, script], y]}\n", "j"),
            "{\"script\": [\"x\", [\"a\", \"b\"], \"y\"]}");
  EXPECT_EQ(loaded(".p: {script: [new]}\n.s: {extends: .p}\nj: {script: !reference [.s, script]}\n", "j"),
            "{\"script\": [\"new\"]}");
  EXPECT_EQ(loaded(".a: {v: 1}\n.b: {r: !reference [.a, v]}\nj: {k: !reference [.b, r]}\n", "j"),
            "{\"k\": i1}");
  EXPECT_EQ(loaded(".a: {v: {w: 1}}\n.b: {r: !reference [.a, v]}\nj: {k: !reference [.b, r, w]}\n", "j"),
            "{\"k\": i1}");
  EXPECT_EQ(loaded(".a: {v: false}\nj: {k: !reference [.a, v]}\n", "j"), "{\"k\": false}");
  EXPECT_EQ(
      loaded(".v: {A: 1}\n.p: {variables: !reference [.v]}\nj: {extends: .p, variables: {B: 2}}\n", "j"),
      "{\"variables\": {\"A\": i1, \"B\": i2}}");
}

std::string reference_chain(int hops) {
  std::string text = ".r0: {v: end}\n";
  for (int i = 1; i <= hops; ++i) {
    text += ".r" + std::to_string(i) + ": {v: !reference [.r" + std::to_string(i - 1) + ", v]}\n";
  }
  return text;
}

TEST(Reference, TenLevelsAreTheLimit) {
  EXPECT_EQ(loaded(reference_chain(10), ".r10"), "{\"v\": \"end\"}");
  EXPECT_EQ(loaded(reference_chain(11)),
            "error reference-too-deep 12:11 !reference [.r10, v] is nested too deeply (limit 10)\n");
}

TEST(Reference, MistakesAreReportedAtTheReference) {
  EXPECT_EQ(loaded(".a: {n: null}\nj: {x: !reference [.a, n], y: !reference [.b], z: !reference [], w: "
                   "!reference [1]}\n"),
            "error unknown-reference 2:8 !reference [.a, n] not found\n"
            "error unknown-reference 2:31 !reference [.b] not found\n"
            "error bad-reference 2:51 !reference needs a list of strings\n"
            "error bad-reference 2:69 !reference needs a list of strings\n");
  EXPECT_EQ(loaded("a: {x: !reference [b, y]}\nb: {y: !reference [a, x]}\n"),
            "error reference-cycle 2:8 !reference [a, x] is part of a cycle\n");
  EXPECT_EQ(loaded("a: {x: [!reference [a, x]]}\n"),
            "error reference-cycle 1:9 !reference [a, x] is part of a cycle\n");
}

TEST(Reference, BombsAreRefused) {
  std::string text = ".r0: [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 9; ++i) {
    const std::string one = "!reference [.r" + std::to_string(i - 1) + "]";
    text += ".r" + std::to_string(i) + ": [";
    for (int j = 0; j < 10; ++j) text += one + ", ";
    text += "]\n";
  }
  EXPECT_EQ(loaded(text),
            "error too-many-values 1:1 the configuration has more than 2000000 values once references are "
            "replaced\n");
}

TEST(Reference, EndlessChainsEndInAnErrorNotInACrash) {
  std::string extends = "a0: {k: 1}\n";
  std::string references = "a0: 1\n";
  for (int i = 1; i < 50000; ++i) {
    const std::string name = std::to_string(50000 - i);
    extends += "a" + name + ": {extends: a" + std::to_string(49999 - i) + "}\n";
    references += "a" + name + ": !reference [a" + std::to_string(49999 - i) + "]\n";
  }
  EXPECT_NE(loaded(extends).find("extends nested too deeply"), std::string::npos);
  EXPECT_NE(loaded(references).find("is nested too deeply"), std::string::npos);
}

TEST(Flatten, SpreadsNestedListsToTenLevels) {
  LoadTest test(Files{{".gitlab-ci.yml", "l: [a, [b, [c]], []]\ns: text\nn:\nd: " + std::string(10, '[') +
                                             std::string(10, ']') + "\ne: " + std::string(11, '[') +
                                             std::string(11, ']') + "\n"}});
  test.load();
  ASSERT_TRUE(test.document);
  const auto flat = [&](std::string_view key) {
    std::string out;
    for (const Node* item : flatten(*test.document->root->find(key), test.diagnostics)) out += dump(item);
    return out;
  };
  EXPECT_EQ(flat("l"), "\"a\"\"b\"\"c\"");
  EXPECT_EQ(flat("s"), "\"text\"");
  EXPECT_EQ(flat("n"), "");
  EXPECT_EQ(flat("d"), "");
  EXPECT_FALSE(test.diagnostics.has_errors());
  flat("e");
  EXPECT_TRUE(test.diagnostics.has_errors());
}

}  // namespace
}  // namespace runner::pipelines
