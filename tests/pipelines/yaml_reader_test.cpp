#include "pipelines/yaml_reader.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/pipelines/reading_support.h"

namespace runner::pipelines {
namespace {

struct Case {
  std::string_view text;
  std::string_view expected;
};

TEST(YamlReader, ScalarsFollowYaml11) {
  const std::vector<Case> cases = {
      {"yes", "true"},
      {"Yes", "true"},
      {"ON", "true"},
      {"off", "false"},
      {"No", "false"},
      {"yEs", "\"yEs\""},
      {"y", "\"y\""},
      {"n", "\"n\""},
      {"true", "true"},
      {"'true'", "\"true\""},
      {"1.10", "r1.1"},
      {"\"1.10\"", "\"1.10\""},
      {"1.0", "r1.0"},
      {"1.", "r1.0"},
      {".5", "r0.5"},
      {"-.5", "r-0.5"},
      {"1.5e+3", "r1500.0"},
      {"1.5e3", "\"1.5e3\""},
      {"12e5", "\"12e5\""},
      {"1e+20", "\"1e+20\""},
      {"1.0e+20", "r1.0e+20"},
      {"0.00001", "r1.0e-05"},
      {"0.0001", "r0.0001"},
      {"1.2.3", "\"1.2.3\""},
      {".", "\".\""},
      {"010", "i8"},
      {"0x1f", "i31"},
      {"0b11", "i3"},
      {"1_000", "i1000"},
      {"+12", "i12"},
      {"-12", "i-12"},
      {"0", "i0"},
      {"08", "\"08\""},
      {"0128", "\"0128\""},
      {"0x", "\"0x\""},
      {"0xZZ", "\"0xZZ\""},
      {"12345678901234567890", "\"12345678901234567890\""},
      {"12:30", "i750"},
      {"1:02:03", "i3723"},
      {"1:99", "\"1:99\""},
      {"12:34:56:12", "\"12:34:56:12\""},
      {"1:30.5", "r90.5"},
      {"~", "null"},
      {"null", "null"},
      {"NULL", "null"},
      {"nil", "\"nil\""},
      {"''", "\"\""},
      {"2024-01-31", "\"2024-01-31\""},
      {"2024-01-31T10:00:00Z", "\"2024-01-31T10:00:00Z\""},
      {".inf", "rInfinity"},
      {"-.INF", "r-Infinity"},
      {".nan", "rNaN"},
      {"!!str 010", "\"010\""},
      {"! 010", "\"010\""},
      {"!!int '12'", "i12"},
      {"!!float 3", "r3.0"},
      {"!!bool 'on'", "true"},
      {"!!null ''", "null"},
      {"|\n  a\n  b\n", "\"a\nb\n\""},
  };
  for (const Case& one : cases) {
    EXPECT_EQ(read_and_dump("k: " + std::string(one.text)), "{\"k\": " + std::string(one.expected) + "}")
        << one.text;
  }
}

TEST(YamlReader, CollectionsAnchorsAndMergeKeys) {
  const std::vector<Case> cases = {
      {"", ""},
      {"# only a comment\n", ""},
      {"---\na: 1\n", "{\"a\": i1}"},
      {"\xEF\xBB\xBF"
       "a: 1\n",
       "{\"a\": i1}"},
      {"a: 1\n---\nb: 2\n", "{\"a\": i1} --- {\"b\": i2}"},
      {"a:\n- 1\n- [x, y]\n- {k: v}\n", "{\"a\": [i1, [\"x\", \"y\"], {\"k\": \"v\"}]}"},
      {"1.10: x\nyes: y\n010: z\n", "{\"1.1\": \"x\", \"true\": \"y\", \"8\": \"z\"}"},
      {"a: &x [1]\nb: *x\n", "{\"a\": [i1], \"b\": [i1]}"},
      {"a: &x 1\nb: &x 2\nc: *x\n", "{\"a\": i1, \"b\": i2, \"c\": i2}"},
      {"a: &k key\nb: {*k : 1}\n", "{\"a\": \"key\", \"b\": {\"key\": i1}}"},
      {"r: !reference [.a, script]\n", "{\"r\": !ref[\".a\", \"script\"]}"},
      // merge keys
      {"a: &a {x: 1, y: 2}\nb:\n  <<: *a\n  y: 3\n",
       "{\"a\": {\"x\": i1, \"y\": i2}, \"b\": {\"x\": i1, \"y\": i3}}"},
      {"a: &a {x: 1}\nb: &b {x: 2, z: 3}\nc:\n  <<: [*a, *b]\n",
       "{\"a\": {\"x\": i1}, \"b\": {\"x\": i2, \"z\": i3}, \"c\": {\"x\": i1, \"z\": i3}}"},
      {"a: &a {x: 1}\nb: &b {x: 2}\nc:\n  <<: *a\n  <<: *b\n",
       "{\"a\": {\"x\": i1}, \"b\": {\"x\": i2}, \"c\": {\"x\": i2}}"},
      {"a: &a {v: {p: 1, q: 2}}\nb:\n  <<: *a\n  v: {p: 3}\n",
       "{\"a\": {\"v\": {\"p\": i1, \"q\": i2}}, \"b\": {\"v\": {\"p\": i3}}}"},
      {"b: {'<<': 1}\n", "{\"b\": {\"<<\": i1}}"},
  };
  for (const Case& one : cases) EXPECT_EQ(read_and_dump(one.text), one.expected) << one.text;
}

TEST(YamlReader, AliasesShareTheirNode) {
  Sources sources;
  NodeArena arena;
  Diagnostics diagnostics;
  const std::string_view text = "a: &x [1, 2]\nb: *x\n";
  const auto documents = read_yaml(sources.add("ci.yml", std::string(text)), text, arena, diagnostics);
  ASSERT_TRUE(documents);
  const Node* root = documents->at(0);
  EXPECT_EQ(root->find("a"), root->find("b"));
  EXPECT_EQ(root->expanded_size(), 7U);
  EXPECT_EQ(root->find("c"), nullptr);
}

TEST(YamlReader, PositionsAreOneBasedAndCountCharacters) {
  Sources sources;
  NodeArena arena;
  Diagnostics diagnostics;
  const std::string_view text = "\xC3\xA4\xC3\xB6: value\njob:\n  script:\n    - echo\n  next: [a,\n    b]\n";
  const auto documents = read_yaml(sources.add("ci.yml", std::string(text)), text, arena, diagnostics);
  ASSERT_TRUE(documents);
  const auto place = [](const SourceRange& range) {
    return std::to_string(range.line) + ":" + std::to_string(range.column) + "-" +
           std::to_string(range.end_line) + ":" + std::to_string(range.end_column);
  };
  const Node* root = documents->at(0);
  EXPECT_EQ(place(root->entries()[0].key_range), "1:1-1:3");
  EXPECT_EQ(place(root->entries()[0].value->range()), "1:5-1:10");
  const Node* job = root->find("job");
  EXPECT_EQ(place(job->find("script")->range()), "4:5-4:11");
  EXPECT_EQ(place(job->find("next")->range()), "5:9-6:7");
}

TEST(YamlReader, LargeMappingsFindEveryKey) {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += "key" + std::to_string(i) + ": " + std::to_string(i) + "\n";
  text += "key17: again\n";
  Sources sources;
  NodeArena arena;
  Diagnostics diagnostics;
  const auto documents = read_yaml(sources.add("ci.yml", text), text, arena, diagnostics);
  ASSERT_TRUE(documents);
  const Node* root = documents->at(0);
  ASSERT_EQ(root->entries().size(), 5000U);
  EXPECT_EQ(root->find("key4999")->integer(), 4999);
  EXPECT_EQ(root->find("key17")->text(), "again");
  EXPECT_EQ(root->find("key5000"), nullptr);
  EXPECT_EQ(brief(diagnostics), "warning duplicate-key 5001:1 duplicate key 'key17', the last one counts\n");
}

TEST(YamlReader, WarnsWhenTheMergeKeyComesLate) {
  Sources sources;
  NodeArena arena;
  Diagnostics diagnostics;
  const std::string_view text = "a: &a {x: 1, y: 1}\nb:\n  x: 2\n  y: 1\n  <<: *a\n";
  const auto documents = read_yaml(sources.add("ci.yml", std::string(text)), text, arena, diagnostics);
  ASSERT_TRUE(documents);
  EXPECT_EQ(dump(documents->at(0)->find("b")), "{\"x\": i2, \"y\": i1}");
  EXPECT_EQ(brief(diagnostics),
            "warning merge-order 5:3 '<<' stands below key 'x', which wins here; GitLab takes the merged "
            "value instead\n");
}

std::string first_error(const std::string& text) {
  const std::string all = read_and_dump(text);
  return all.substr(0, all.find('\n'));
}

// Each error names the place where reading stopped: far before the work that the text asks for.
TEST(YamlReader, HostileTextsStopEarly) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    const std::string last = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + last;
    for (int j = 1; j < 10; ++j) bomb += ", " + last;
    bomb += "]\n";
  }
  std::string merge_bomb = "a: &a {";
  for (int i = 0; i < 20000; ++i) merge_bomb += "k" + std::to_string(i) + ": 1, ";
  merge_bomb += "}\n";
  for (int i = 0; i < 1000; ++i) merge_bomb += "j" + std::to_string(i) + ": {<<: *a}\n";

  const std::vector<std::pair<std::string, std::string>> cases = {
      {std::string(10U << 20U, 'a'),
       "error file-too-large 1:1 file too large: 10.0 MiB, at most 2.0 MiB are allowed"},
      {std::string(100000, '['),
       "error nesting-too-deep 1:101 nesting too deep, at most 100 levels are allowed"},
      {std::string(100000, '{'),
       "error nesting-too-deep 1:101 nesting too deep, at most 100 levels are allowed"},
      {"a: " + std::string(1U << 20U, '"'), ""},
      {"a: 1\nb\0c: 2\n" + std::string("x: \0y\n", 6), ""},
      {std::string("a: 1\nb: \0\n", 10),
       "error control-character 2:4 control character U+0000 is not allowed in YAML"},
      {"a: 1\nb: \xC3\x28\n", "error invalid-utf8 2:4 byte 0xc3 is not valid UTF-8"},
      {"a: \xED\xA0\x80\n", "error invalid-utf8 1:4 byte 0xed is not valid UTF-8"},
      {std::string("\xFF\xFE"
                   "a\0",
                   4),
       "error invalid-utf8 1:1 byte 0xff is not valid UTF-8"},
      {bomb, "error too-many-values 6:25 this alias makes the file larger than 500000 values"},
      {merge_bomb, "error too-many-values 24:11 this alias makes the file larger than 500000 values"},
      {"a: &a [*a]\n", "error recursive-alias 1:8 alias '*a' stands inside its own anchor"},
      {"a: 1\n---\nb: 1\n---\nc: 1\n",
       "error too-many-documents 4:1 too many YAML documents, at most 2 are allowed"},
  };
  for (const auto& [text, expected] : cases) {
    const std::string found = first_error(text);
    if (expected.empty()) {
      EXPECT_EQ(found.substr(0, 6), "error ") << text.substr(0, 60);
    } else {
      EXPECT_EQ(found, expected) << text.substr(0, 60);
    }
  }
}

TEST(YamlReader, SemanticMistakesAreAllReported) {
  EXPECT_EQ(read_and_dump("a: *nope\nb: !foo 1\nc: !reference x\nd: {<<: 3}\n? [k]\n: v\ne: !!int x\n"),
            "error unknown-anchor 1:4 unknown anchor 'nope'\n"
            "error unsupported-tag 2:4 unsupported YAML tag '!foo'\n"
            "error bad-reference 3:4 !reference needs a list of strings\n"
            "error bad-merge 4:9 '<<' needs a mapping or a list of mappings, found an integer\n"
            "error bad-key 5:3 a key must be a plain text, found a list\n"
            "error bad-tag 7:4 'x' is no value for the tag !!int\n");
}

TEST(YamlReader, AnchorsEndWithTheirDocument) {
  EXPECT_EQ(read_and_dump("a: &a 1\n---\nb: *a\n"), "error unknown-anchor 3:4 unknown anchor 'a'\n");
}

}  // namespace
}  // namespace runner::pipelines
