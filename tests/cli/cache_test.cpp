// `runner cache ...`, from the outside.

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "tests/cli/program.h"

namespace runner::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kCached =
    "build:\n"
    "  cache:\n"
    "    - key: {files: [lock.txt], prefix: $FLAVOUR}\n"
    "      paths: [deps/]\n"
    "      fallback_keys: [spare]\n"
    "    - {key: plain, paths: [more/]}\n"
    "  variables: {FLAVOUR: vanilla}\n"
    "  script: [mkdir -p deps more, date +%N >deps/a, date +%N >more/b]\n"
    "look:\n"
    "  cache: {key: spare, paths: [deps/], policy: push}\n"
    "  script: [mkdir -p deps, echo 1 >deps/a]\n"
    "bare: {script: [echo]}\n";

class CacheCommand : public testing::Test {
 protected:
  CacheCommand() : box_(kCached) {
    box_.write("lock.txt", "one\n");
    commit("Lock");
  }
  void commit(const std::string& subject) const {
    box_.shell("git add -A && git commit -qm '" + subject + "'");
  }
  void build() const {
    const Ended ended = box_.run({"exec", "build"});
    ASSERT_EQ(ended.code, 0) << ended.out << ended.err;
  }
  Ended cache(std::vector<std::string> words) const {
    words.insert(words.begin(), "cache");
    return box_.run(std::move(words));
  }
  json cache_json(std::vector<std::string> words) const {
    words.emplace_back("--json");
    const Ended ended = cache(std::move(words));
    EXPECT_EQ(ended.err, "");
    return json::parse(ended.out);
  }
  /// The key made of lock.txt.
  std::string key_of_files() const {
    for (const json& entry : cache_json({"list"})) {
      const std::string key = entry["key"];
      if (key.starts_with("vanilla-")) return key;
    }
    ADD_FAILURE() << "no key";
    return {};
  }

  const Sandboxed box_;
};

TEST_F(CacheCommand, ListShowsTheCachesOfThisProject) {
  const Ended none = cache({"list"});
  EXPECT_EQ(none.code, 0);
  EXPECT_EQ(none.out, "");
  EXPECT_THAT(none.err, HasSubstr("there are no caches of"));
  build();
  const Ended ended = cache({"list"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_THAT(ended.out, testing::StartsWith("KEY "));
  EXPECT_THAT(ended.out, HasSubstr("\nplain-non_protected "));
  EXPECT_THAT(ended.out, HasSubstr("job 'build' of "));
  EXPECT_THAT(ended.out, HasSubstr("\n2 caches, "));
  const json entries = cache_json({"list"});
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[0]["key"], "plain-non_protected");
  EXPECT_EQ(entries[0]["files"], 1);
  EXPECT_EQ(entries[0]["layers"], 1);
  EXPECT_EQ(entries[0]["scope"], fs::canonical(box_.project()).string());
  EXPECT_EQ(cache({"list", "--quiet"}).out, "plain-non_protected\n" + key_of_files() + "\n");
}

TEST_F(CacheCommand, OtherProjectsAreListedByAllAndByScope) {
  build();
  box_.write("sub/.keep", "");
  const std::string scope = fs::canonical(box_.project()).string();
  EXPECT_THAT(cache({"list", "-C", "/"}).err, HasSubstr("no caches of '/'"));
  EXPECT_THAT(cache({"list", "--all", "-C", "/"}).out, HasSubstr("\n" + scope + "  plain-non_protected "));
  EXPECT_THAT(cache({"list", "--scope", scope, "-C", "/"}).out, HasSubstr("plain-non_protected "));
  EXPECT_THAT(cache({"list", "-C", "sub"}).out, HasSubstr("plain-non_protected "));
}

TEST_F(CacheCommand, ShowTellsWhatAKeyWasMadeOf) {
  build();
  const std::string key = key_of_files();
  const Ended ended = cache({"show", key});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("key:        " + key + "\n"));
  EXPECT_THAT(ended.out, HasSubstr("$FLAVOUR  vanilla\n"));
  EXPECT_THAT(ended.out, HasSubstr("lock.txt  5626abf0f72e58d7a153368ba57db4c673c0e171\n"));
  EXPECT_THAT(ended.out, HasSubstr("paths:      deps\n"));
  const json shown = cache_json({"show", key});
  EXPECT_EQ(shown["inputs"].size(), 2U);
  ASSERT_EQ(shown["layers"].size(), 1U);
  EXPECT_TRUE(fs::exists(fs::path(shown["layers"][0]["tree"].get<std::string>()) / "deps/a"));
}

TEST_F(CacheCommand, AnUnknownKeyIsAnsweredWithTheNearest) {
  build();
  for (const char* command : {"show", "remove"}) {
    const Ended near = cache({command, "plane"});
    EXPECT_EQ(near.code, 2);
    EXPECT_EQ(near.out, "");
    EXPECT_THAT(near.err, HasSubstr("there is no cache 'plane' of "));
    EXPECT_THAT(near.err, HasSubstr("did you mean 'plain-non_protected'?"));
  }
  EXPECT_THAT(cache({"show", "something quite else"}).err, HasSubstr("'runner cache list' shows the keys"));
}

TEST_F(CacheCommand, RemoveTakesAllThatWereNamedOrNone) {
  build();
  EXPECT_EQ(cache({"remove", "plain-non_protected", "missing"}).code, 2);
  EXPECT_EQ(cache_json({"list"}).size(), 2U);
  const Ended ended = cache({"remove", "plain-non_protected"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_THAT(ended.out, testing::StartsWith("removed 'plain-non_protected': 1 file, 10 B\n"));
  EXPECT_EQ(cache_json({"list"}).size(), 1U);
  const json all = cache_json({"remove", "--all"});
  EXPECT_EQ(all["removed"].size(), 1U);
  EXPECT_EQ(all["layers"], 1);
  EXPECT_EQ(all["kept_bytes"], 0);
  EXPECT_EQ(cache_json({"list"}).size(), 0U);
}

TEST_F(CacheCommand, CollectingTellsWhatGoes) {
  build();
  const json dry = cache_json({"gc", "--budget", "0", "--dry-run"});
  EXPECT_EQ(dry["evicted"].size(), 2U);
  EXPECT_EQ(cache_json({"list"}).size(), 2U);
  const Ended kept = cache({"gc", "--budget", "1GiB"});
  EXPECT_EQ(kept.code, 0) << kept.err;
  EXPECT_THAT(kept.out, testing::StartsWith("removed 0 entries"));
  const Ended ended = cache({"gc", "--budget", "0"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("cache  plain-non_protected"));
  EXPECT_THAT(ended.out, HasSubstr("removed 2 entries and 2 layers, "));
  EXPECT_EQ(cache_json({"list"}).size(), 0U);
}

TEST_F(CacheCommand, VerifyNamesEachProblemWithItsPath) {
  build();
  const Ended well = cache({"verify", "--content"});
  EXPECT_EQ(well.code, 0) << well.out << well.err;
  EXPECT_THAT(well.out, HasSubstr(": all is well\n"));
  const json shown = cache_json({"show", "plain-non_protected"});
  const std::string tree = shown["layers"][0]["tree"];
  fs::remove_all(tree);
  const Ended ended = cache({"verify"});
  EXPECT_EQ(ended.code, 1);
  EXPECT_THAT(ended.out, HasSubstr(fs::path(tree).parent_path().filename().string()));
  EXPECT_THAT(ended.out, HasSubstr(": 1 problem\n"));
  const Ended as_json = cache({"verify", "--json"});
  EXPECT_EQ(as_json.code, 1);
  EXPECT_EQ(json::parse(as_json.out)["problems"].size(), 1U);
}

TEST_F(CacheCommand, ExplainTellsHitsAndMisses) {
  const Ended before = cache({"explain"});
  EXPECT_EQ(before.code, 0) << before.err;
  EXPECT_THAT(before.out, HasSubstr("build\n  cache:"));
  EXPECT_THAT(before.out, HasSubstr("  found:      no, it was never saved\n"));
  EXPECT_THAT(before.out, HasSubstr("  fallback:   'spare-non_protected': no, it was never saved\n"));
  EXPECT_THAT(before.out, HasSubstr("not looked for: its policy is push"));
  EXPECT_THAT(before.out, Not(HasSubstr("bare")));
  build();
  const Ended hit = cache({"explain", "build"});
  EXPECT_THAT(hit.out, HasSubstr("  found:      yes, saved "));
  EXPECT_THAT(hit.out, HasSubstr("  fallback:   'spare-non_protected': not needed\n"));
  EXPECT_THAT(hit.out, Not(HasSubstr("look")));
  EXPECT_EQ(cache_json({"list"})[0]["uses"], 0) << "asking is no use";
}

TEST_F(CacheCommand, ExplainNamesTheFileThatChanged) {
  build();
  box_.write("lock.txt", "two\n");
  commit("Change the lock");
  const Ended ended = cache({"explain", "build"});
  EXPECT_THAT(ended.out, HasSubstr("no, the key is new: lock.txt changed\n"));
  const json told = cache_json({"explain", "build"});
  ASSERT_EQ(told.size(), 2U);
  EXPECT_EQ(told[0]["missed"][0]["reason"], "key_changed");
  EXPECT_TRUE(told[0]["hit"].is_null());
  EXPECT_EQ(told[1]["hit"]["key"], "plain-non_protected");
}

TEST_F(CacheCommand, ExplainNamesTheVariableThatChanged) {
  build();
  EXPECT_THAT(cache({"explain", "build", "--var", "FLAVOUR=mint"}).out,
              HasSubstr("no, the key is new: $FLAVOUR was 'vanilla'\n"));
}

TEST_F(CacheCommand, ExplainFindsTheFallback) {
  ASSERT_EQ(box_.run({"exec", "look"}).code, 0);
  const Ended ended = cache({"explain", "build"});
  EXPECT_THAT(ended.out, HasSubstr("  found:      no, it was never saved\n"));
  EXPECT_THAT(ended.out, HasSubstr("  fallback:   'spare-non_protected': yes, saved "));
}

TEST_F(CacheCommand, ExplainTellsWhoRemovedAnEntry) {
  build();
  ASSERT_EQ(cache({"remove", "--all"}).code, 0);
  EXPECT_THAT(cache({"explain", "build"}).out, HasSubstr("no, it was removed "));
  build();
  ASSERT_EQ(cache({"gc", "--budget", "0"}).code, 0);
  EXPECT_THAT(cache({"explain", "build"}).out, HasSubstr("no, it was evicted "));
}

TEST_F(CacheCommand, ExplainRefusesWhatIsNoJob) {
  const Ended unknown = cache({"explain", "biuld"});
  EXPECT_EQ(unknown.code, 2);
  EXPECT_THAT(unknown.err, HasSubstr("did you mean 'build'?"));
  box_.write(".gitlab-ci.yml", "build: {scrip: x}\n");
  EXPECT_EQ(cache({"explain"}).code, 2);
}

TEST_F(CacheCommand, AJobWithoutACacheIsSaid) {
  const Ended ended = cache({"explain", "bare"});
  EXPECT_EQ(ended.code, 0);
  EXPECT_EQ(ended.out, "");
  EXPECT_THAT(ended.err, HasSubstr("the job has no cache"));
}

TEST_F(CacheCommand, DataThatCannotBeWrittenAreTheMachinerysFault) {
  box_.write("file", "");
  const Ended ended = cache({"list", "--data", (box_.project() / "file").string()});
  EXPECT_EQ(ended.code, 3);
  EXPECT_THAT(ended.err, HasSubstr("runner: error: "));
  EXPECT_EQ(ended.out, "");
}

}  // namespace
}  // namespace runner::cli
