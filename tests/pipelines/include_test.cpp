#include <gtest/gtest.h>

#include "pipelines/include_item.h"
#include "tests/pipelines/reading_support.h"

namespace runner::pipelines {
namespace {

std::string loaded(Files files, std::string_view entry = {}) {
  return LoadTest(std::move(files)).result(entry);
}

TEST(Include, StringsAreLocalOrRemote) {
  EXPECT_EQ(loaded({{".gitlab-ci.yml", "include: /a.yml\nm: 1\n"}, {"a.yml", "k: 2\n"}}),
            "{\"k\": i2, \"m\": i1}");
  EXPECT_EQ(loaded({{".gitlab-ci.yml", "include: ['https://x.example/r.yml?a=b']\n"},
                    {"https://x.example/r.yml?a=b", "k: 2\n"}}),
            "{\"k\": i2}");
  EXPECT_EQ(loaded({{".gitlab-ci.yml", "include:\nm: 1\n"}}), "{\"m\": i1}");
}

TEST(Include, LaterFilesWinAndTheIncludingFileWinsOverAll) {
  const Files files = {{".gitlab-ci.yml", "m: {x: main, l: [m]}\ninclude: [a.yml, b.yml]\n"},
                       {"a.yml", "m: {x: a, y: a, z: a, l: [a]}\nstages: [a]\n"},
                       {"b.yml", "m: {y: b}\nstages: [b]\nn: 1\n"}};
  EXPECT_EQ(loaded(files),
            "{\"m\": {\"x\": \"main\", \"y\": \"b\", \"z\": \"a\", \"l\": [\"m\"]}, \"stages\": [\"b\"], "
            "\"n\": i1}");
}

TEST(Include, NestedFilesMergeInsideTheirParentFirst) {
  const Files files = {{".gitlab-ci.yml", "include: [a.yml, d/b.yml]\n"},
                       {"a.yml", "k: {x: {deep: 1}}\n"},
                       {"d/b.yml", "include: d/c.yml\nk: {x: {own: 1}}\n"},
                       {"d/c.yml", "k: {x: scalar}\n"}};
  // Merged one after the other the scalar would have cut off what a.yml says.
  EXPECT_EQ(loaded(files), "{\"k\": {\"x\": {\"deep\": i1, \"own\": i1}}}");
}

TEST(Include, WildcardsOfTheirOwnDialect) {
  EXPECT_TRUE(matches_include_pattern("c/*.yml", "c/a.yml"));
  EXPECT_FALSE(matches_include_pattern("c/*.yml", "c/d/a.yml"));
  EXPECT_TRUE(matches_include_pattern("c/**.yml", "c/a.yml"));
  EXPECT_TRUE(matches_include_pattern("c/**.yml", "c/d/e/a.yml"));
  EXPECT_FALSE(matches_include_pattern("c/**/*.yml", "c/a.yml"));
  EXPECT_TRUE(matches_include_pattern("c/**/*.yml", "c/d/a.yml"));
  EXPECT_FALSE(matches_include_pattern("c/*.yml", "xc/a.yml"));
  EXPECT_FALSE(matches_include_pattern("c/*.yml", "c/a.yml.bak"));
  EXPECT_FALSE(matches_include_pattern("c/?.yml", "c/a.yml"));
  EXPECT_FALSE(matches_include_pattern("c/a.yml", "c/axyml"));
  EXPECT_FALSE(matches_include_pattern(std::string(200, '*') + "x", std::string(2000, 'a')));

  const Files files = {{".gitlab-ci.yml", "include: {local: '/c/**.yml'}\n"},
                       {"c/a.yml", "a: 1\n"},
                       {"c/d/b.yml", "b: 1\n"},
                       {"e.yml", "e: 1\n"}};
  EXPECT_EQ(loaded(files), "{\"a\": i1, \"b\": i1}");
  LoadTest none(Files{{".gitlab-ci.yml", "include: x/*.yml\na: 1\n"}});
  EXPECT_EQ(none.result(), "{\"a\": i1}");
  EXPECT_EQ(brief(none.diagnostics), "notice include-no-match 1:10 no file matches 'x/*.yml'\n");
}

TEST(Include, RulesDecide) {
  const auto with_rules = [](const std::string& rules) {
    return loaded(
        {{".gitlab-ci.yml", "include: {local: a.yml, rules: " + rules + "}\nm: 1\n"}, {"a.yml", "a: 1\n"}});
  };
  EXPECT_EQ(with_rules("null"), "{\"a\": i1, \"m\": i1}");
  EXPECT_EQ(with_rules("[{if: yes}]").substr(0, 5), "{\"m\":");  // a boolean is no expression that holds here
  EXPECT_EQ(with_rules("[{if: 'yes'}]"), "{\"a\": i1, \"m\": i1}");
  EXPECT_EQ(with_rules("[{if: 'no'}]"), "{\"m\": i1}");
  EXPECT_EQ(with_rules("[]"), "{\"m\": i1}");
  EXPECT_EQ(with_rules("[{if: 'yes', when: never}, {when: always}]"), "{\"m\": i1}");
  EXPECT_EQ(with_rules("[{if: 'no', when: never}, {when: always}]"), "{\"a\": i1, \"m\": i1}");
  EXPECT_EQ(with_rules("[{when: manual}]"),
            "error bad-include 1:40 'when' of an include rule must be 'always' or 'never'\n");
  EXPECT_EQ(with_rules("[{iff: x}]"), "error unknown-key 1:34 an include rule has unknown key 'iff'\n");
  EXPECT_EQ(with_rules("x"), "error bad-include 1:32 include 'rules' must be a list, found a string\n");
}

TEST(Include, VariablesOfTheProjectOnly) {
  LoadTest test(Files{{".gitlab-ci.yml", "variables: {D: d}\ninclude: $P/a.yml\n"}, {"x/a.yml", "a: 1\n"}});
  test.variables = {{.name = "P", .value = "x"}};
  EXPECT_EQ(test.result("a"), "i1");
  EXPECT_EQ(loaded({{".gitlab-ci.yml", "variables: {D: d}\ninclude: $D\n"}}),
            "error empty-include 2:10 include 'local' is empty once its variables are expanded\n");
}

TEST(Include, OtherProjects) {
  const Files files = {{".gitlab-ci.yml", "include: {project: g/p, ref: v1, file: [/t/a.yml, b.yml]}\n"},
                       {"g/p@v1:t/a.yml", "include: inner.yml\na: 1\n"},
                       {"g/p@v1:inner.yml", "i: 1\n"},
                       {"g/p@v1:b.yml", "b: 1\n"},
                       {"inner.yml", "wrong: 1\n"}};
  EXPECT_EQ(loaded(files), "{\"i\": i1, \"a\": i1, \"b\": i1}");
  EXPECT_EQ(loaded({{".gitlab-ci.yml", "include: {project: g/q, file: [a.yml, b.yml]}\n"}}),
            "error include-not-found 1:20 project 'g/q' not found or access denied, needed for 'a.yml': it "
            "is not mapped\n");
}

TEST(Include, FilesFromTheNetworkHaveNoProject) {
  EXPECT_EQ(loaded({{".gitlab-ci.yml", "include: https://x.example/r.yml\n"},
                    {"https://x.example/r.yml", "include: a.yml\n"},
                    {"a.yml", "a: 1\n"}}),
            "error include-not-found 1:10 no project for local file 'a.yml'\n");
}

TEST(Include, IntegrityIsChecked) {
  const auto with = [](const std::string& integrity) {
    return loaded(
        {{".gitlab-ci.yml", "include: {remote: 'https://x.example/r.yml', integrity: '" + integrity + "'}\n"},
         {"https://x.example/r.yml", "a: 1\n"}});
  };
  EXPECT_EQ(with("sha256-c/ypqlRYN36RVzQGbyX8myAwRZ/d9glOZ4oKf4Y+tMA=").substr(0, 5), "error");
  EXPECT_EQ(with("md5-x"),
            "error include-not-found 1:57 include 'integrity' must be 'sha256-' and a base64 digest\n");
}

TEST(Include, Components) {
  const Files base = {{".gitlab-ci.yml", "include: {component: host.example/g/p/n@1.0, inputs: {s: t}}\n"}};
  const std::string header = "spec:\n  component: [name, version, reference]\n  inputs: {s: }\n---\n";
  Files flat = base;
  flat["g/p@1.0:templates/n.yml"] = header +
                                    "'$[[ component.name ]]-$[[ inputs.s ]]': {r: '$[[ component.reference "
                                    "]]', v: '$[[ component.version ]]'}\n";
  EXPECT_EQ(loaded(flat), "{\"n-t\": {\"r\": \"1.0\", \"v\": null}}");
  Files nested = base;
  nested["g/p@1.0:templates/n/template.yml"] = header + "a: 1\n";
  EXPECT_EQ(loaded(nested), "{\"a\": i1}");
  EXPECT_EQ(loaded(base),
            "error include-not-found 1:22 component 'host.example/g/p/n@1.0' not found: it is not mapped\n");
  EXPECT_EQ(loaded({{".gitlab-ci.yml", "include: {component: other.example/g/p/n@1.0}\n"}}),
            "error include-not-found 1:22 component 'other.example/g/p/n@1.0': host 'other.example' not "
            "configured\n");
  EXPECT_EQ(loaded({{".gitlab-ci.yml", "include: {component: n@1.0}\n"}}),
            "error include-not-found 1:22 component 'n@1.0' is no address\n");
}

TEST(Include, MistakesAreReportedAtTheItem) {
  const auto include = [](const std::string& item) {
    return loaded({{".gitlab-ci.yml", "include:\n  - " + item + "\n"}, {"e.yml", " \n"}, {"l.yml", "[]\n"}});
  };
  EXPECT_EQ(include("{local: a.yml, remote: b.yml}"),
            "error bad-include 2:20 include item must use exactly one of local, project, remote, template, "
            "component\n");
  EXPECT_EQ(include("{file: a.yml}").substr(0, 22), "error bad-include 2:5 ");
  EXPECT_EQ(include("a.txt"), "error include-not-found 2:5 included file 'a.txt' is not a YAML file\n");
  EXPECT_EQ(include("missing.yml"), "error include-not-found 2:5 local file 'missing.yml' not found\n");
  EXPECT_EQ(include("e.yml"), "error include-not-found 2:5 included file 'e.yml' is empty\n");
  EXPECT_EQ(include("l.yml"), "error not-a-mapping 1:1 configuration must be a map, found a list\n");
  EXPECT_EQ(include("../x.yml"),
            "error include-not-found 2:5 local file '../x.yml' is outside of the repository\n");
  EXPECT_EQ(include("3"),
            "error bad-include 2:5 include item must be a string or a mapping, found an integer\n");
  EXPECT_EQ(include("{locall: a.yml}").find("unknown key 'locall'") != std::string::npos, true);
  EXPECT_EQ(include("{local: a.yml, ref: x}"),
            "error bad-include 2:20 include 'ref' cannot stand beside 'local'\n");
  EXPECT_EQ(include("{project: p}"), "error bad-include 2:5 include of a project needs 'file'\n");
  EXPECT_EQ(
      include("{template: X.gitlab-ci.yml}"),
      "error include-not-found 2:16 template 'X.gitlab-ci.yml' is not available: no templates are shipped\n");
  EXPECT_EQ(include("{artifact: a.yml, job: j}").find("allowed only inside 'trigger'") != std::string::npos,
            true);
  EXPECT_EQ(include("https://x.example/a.yml"),
            "error include-not-found 2:5 remote file 'https://x.example/a.yml' cannot be read: no network\n");
}

TEST(Include, AMissingFileDoesNotHideOtherErrors) {
  LoadTest test(
      Files{{".gitlab-ci.yml",
             "include: [missing.yml, b.yml]\nj: {extends: .from-missing}\nk: {extends: .l}\n.l: []\n"},
            {"b.yml", "b: *x\n"}});
  EXPECT_EQ(test.result(),
            "error include-not-found 1:11 local file 'missing.yml' not found\n"
            "error extends-not-a-mapping 3:14 'k': extends an entry that is not a mapping ('.l' is a list)\n"
            "error unknown-anchor 1:4 unknown anchor 'x'\n");
  ASSERT_TRUE(test.document);
  EXPECT_FALSE(test.document->complete);
  EXPECT_EQ(test.document->broken.count("j"), 1U);
}

TEST(Include, OneHundredAndFiftyFilesAreTheLimit) {
  const auto many = [](int count) {
    std::string text = "include:\n";
    for (int i = 0; i < count; ++i) text += "  - a.yml\n";
    return loaded({{".gitlab-ci.yml", text}, {"a.yml", "a: 1\n"}});
  };
  EXPECT_EQ(many(150), "{\"a\": i1}");
  EXPECT_EQ(many(151), "error include-not-found 152:5 more than 150 included files\n");
}

TEST(Include, LoopsEndInTheCount) {
  EXPECT_EQ(loaded({{".gitlab-ci.yml", "include: a.yml\n"},
                    {"a.yml", "include: b.yml\n"},
                    {"b.yml", "include: a.yml\n"}}),
            "error include-not-found 1:10 more than 150 included files\n");
}

TEST(Include, InputsReachOnlyTheFileTheyAreFor) {
  const Files files = {
      {".gitlab-ci.yml", "include: {local: a.yml, inputs: {x: 1}}\n"},
      {"a.yml", "spec: {inputs: {x: {type: number}}}\n---\ninclude: b.yml\na: $[[ inputs.x ]]\n"},
      {"b.yml", "spec: {inputs: {x: {default: other}}}\n---\nb: $[[ inputs.x ]]\n"}};
  EXPECT_EQ(loaded(files), "{\"b\": \"other\", \"a\": i1}");
}

}  // namespace
}  // namespace runner::pipelines
