#include "runner/engine/cache_keys.h"

#include <gmock/gmock.h>

#include <map>

#include "pipelines/variables.h"

namespace runner::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::Pair;

using Texts = std::map<std::string, std::string, std::less<>>;

/// A checkout and variables by hand.
struct World {
  Texts blobs, commits, variables;
  std::vector<std::string> secrets;
  bool ref_protected = false;
  std::string fallback_key;

  CacheKeys keys(const pipelines::CacheSpec& spec, std::size_t index = 0) const {
    pipelines::VariableSet set;
    for (const auto& [name, value] : variables) {
      pipelines::Variable variable;
      variable.name = name;
      variable.value = value;
      set.add(std::move(variable));
    }
    const auto ids = [](const Texts& known) {
      return [&known](std::string_view path) {
        const auto found = known.find(path);
        return found == known.end() ? std::nullopt : std::optional<std::string>(found->second);
      };
    };
    CacheKeyFacts facts;
    facts.expand = [&](std::string_view text) { return set.expand(text, pipelines::Undefined::empty); };
    facts.blob_id = ids(blobs);
    facts.last_commit = ids(commits);
    facts.tracked = [&](std::string_view) {
      std::vector<std::string> paths;
      for (const auto& [path, id] : blobs) paths.push_back(path);
      return paths;
    };
    facts.ref_protected = ref_protected;
    facts.fallback_key = fallback_key;
    facts.secrets = secrets;
    return cache_keys(spec, index, facts);
  }
};

pipelines::CacheSpec by_text(const std::string& text) {
  pipelines::CacheSpec spec;
  spec.key.text = text;
  return spec;
}

pipelines::CacheSpec by_files(std::vector<std::string> files, const std::string& prefix = {}) {
  pipelines::CacheSpec spec;
  spec.key.files = std::move(files);
  spec.key.prefix = prefix;
  return spec;
}

TEST(CacheKeys, TextIsExpandedAndGetsTheScopeOfItsRef) {
  World world;
  world.variables = {{"CI_COMMIT_REF_SLUG", "main"}};
  EXPECT_EQ(world.keys(by_text("deps-$CI_COMMIT_REF_SLUG")).key, "deps-main-non_protected");
  EXPECT_EQ(world.keys(by_text("")).key, "default-non_protected");
  world.ref_protected = true;
  EXPECT_EQ(world.keys(by_text("deps-$CI_COMMIT_REF_SLUG")).key, "deps-main-protected");
  auto shared = by_text("deps");
  shared.unprotect = true;
  EXPECT_EQ(world.keys(shared).key, "deps-non_protected");
}

TEST(CacheKeys, OddTextsAreMadePlainAndSaySo) {
  World world;
  world.variables = {{"A", "../a\\b/./c  "}, {"NONE", ""}, {"UP", "%2E%2e%2f.."}};
  const CacheKeys keys = world.keys(by_text("$A"));
  EXPECT_EQ(keys.key, "a/b/c-non_protected");
  EXPECT_THAT(keys.notices, ElementsAre("cache key '../a\\b/./c  ' is taken as 'a/b/c'"));
  for (const char* empty : {"$NONE", "$UP"}) {
    EXPECT_EQ(world.keys(by_text(empty)).key, "");
    EXPECT_THAT(world.keys(by_text(empty)).notices, testing::Contains(HasSubstr("this cache is skipped")));
  }
}

TEST(CacheKeys, FilesGiveTheDigestOfTheirIds) {
  World world;
  // An empty file, and one that holds "hello" and a newline.
  world.blobs = {{"empty", "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"},
                 {"hello.txt", "ce013625030ba8dba906f756967f9e9ca394464a"}};
  EXPECT_EQ(world.keys(by_files({"hello.txt", "empty"}), 2).key,
            "2_hello_empty-b7a9a04358a713b450e89c06fede85439b207aef-non_protected");
  EXPECT_EQ(world.keys(by_files({"*"}, "all")).key,
            "all-b7a9a04358a713b450e89c06fede85439b207aef-non_protected");
  EXPECT_EQ(world.keys(by_files({"absent"}, "p")).key, "p-default-non_protected");
  EXPECT_EQ(world.keys(by_files({"absent"})).key, "0_absent-default-non_protected");
}

TEST(CacheKeys, FilesCommitsGiveTheDigestOfTheirLastCommits) {
  World world;
  world.blobs = {{"a", "1111"}};
  world.commits = {{"a", "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"},
                   {"b", "ce013625030ba8dba906f756967f9e9ca394464a"}};
  auto spec = by_files({"a", "b"}, "p");
  spec.key.by_commit = true;
  EXPECT_EQ(world.keys(spec).key, "p-b7a9a04358a713b450e89c06fede85439b207aef-non_protected");
  EXPECT_THAT(world.keys(spec).facts.inputs,
              ElementsAre(Pair("a", world.commits["a"]), Pair("b", world.commits["b"])));
}

TEST(CacheKeys, FactsTellWhatAKeyWasMadeOf) {
  World world;
  world.variables = {{"CI_JOB_NAME", "build"}, {"REF", "main"}};
  world.blobs = {{"lock", "1234"}};
  const cache::EntryFacts files = world.keys(by_files({"lock", "absent"}, "$CI_JOB_NAME")).facts;
  EXPECT_EQ(files.family, "files:lock,absent prefix:$CI_JOB_NAME-non_protected");
  EXPECT_THAT(files.inputs, ElementsAre(Pair("$CI_JOB_NAME", "build"), Pair("lock", "1234")));
  const cache::EntryFacts text = world.keys(by_text("${REF}-$REF-%CI_JOB_NAME%-$$NOT")).facts;
  EXPECT_EQ(text.family, "text:${REF}-$REF-%CI_JOB_NAME%-$$NOT-non_protected");
  EXPECT_THAT(text.inputs, ElementsAre(Pair("$CI_JOB_NAME", "build"), Pair("$REF", "main")));
  world.ref_protected = true;
  EXPECT_NE(world.keys(by_text("x")).facts.family, World().keys(by_text("x")).facts.family);
}

TEST(CacheKeys, SecretsAreInNoKeyAndNoFact) {
  World world;
  world.variables = {{"TOKEN", "topsecretvalue"}, {"INDIRECT", "x-$TOKEN"}};
  world.secrets = {"topsecret", "topsecretvalue"};
  world.fallback_key = "f-topsecretvalue";
  auto spec = by_text("k-$TOKEN");
  spec.fallback_keys = {"$INDIRECT"};
  const CacheKeys keys = world.keys(spec);
  std::string all = keys.key + keys.facts.family;
  for (const auto& [name, value] : keys.facts.inputs) all += value;
  for (const std::string& key : keys.lookup) all += key;
  EXPECT_THAT(all, Not(HasSubstr("topsecret")));
  EXPECT_EQ(keys.lookup.size(), 4U);
  // Another secret is another key.
  world.variables["TOKEN"] = "another-secret";
  world.secrets = {"another-secret"};
  EXPECT_NE(world.keys(spec).key, keys.key);
  EXPECT_NE(world.keys(spec).facts.inputs, keys.facts.inputs);
}

TEST(CacheKeys, FallbacksFollowInOrderAndOnce) {
  World world;
  world.variables = {{"B", "b"}};
  auto spec = by_text("a");
  spec.fallback_keys = {"$B", "a", "c", ""};
  world.fallback_key = "last";
  EXPECT_THAT(world.keys(spec).lookup, ElementsAre("a-non_protected", "b-non_protected", "c-non_protected",
                                                   "last-non_protected", "last"));
}

TEST(CacheKeys, TheFallbackOfAllJobsNeverNamesAProtectedCache) {
  for (const char* key :
       {"main-protected", "main-protected  ", "x/../main-protected/.", "main-protected%2F"}) {
    World world;
    world.fallback_key = key;
    const CacheKeys keys = world.keys(by_text("a"));
    EXPECT_THAT(keys.lookup, ElementsAre("a-non_protected")) << key;
    EXPECT_THAT(keys.notices, testing::Contains(HasSubstr("is refused"))) << key;
  }
  EXPECT_THAT(World().keys(by_text("a")).notices, IsEmpty());
}

}  // namespace
}  // namespace runner::engine
