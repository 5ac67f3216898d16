// Pipelines of merge requests: which get one, what they are told, what they may.
#include "runner/daemon/merge_requests.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runner/daemon/data_directory.h"
#include "runner/storage/credential_table.h"
#include "runner/storage/ref_table.h"
#include "tests/daemon/served.h"
#include "tests/forge/support/fake_forge.h"

namespace runner::test {
namespace {

using pipelines::JobStatus;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// As projects have it that test branches without a merge request, and merge requests.
constexpr const char* kSwitch = R"yml(
workflow:
  rules:
    - if: $CI_PIPELINE_SOURCE == "merge_request_event"
    - if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH
review:
  rules: [{if: $CI_PIPELINE_SOURCE == "merge_request_event"}]
  script:
    - echo "$CI_PIPELINE_SOURCE $CI_MERGE_REQUEST_IID $CI_MERGE_REQUEST_EVENT_TYPE"
    - echo "path=$CI_MERGE_REQUEST_REF_PATH target=$CI_MERGE_REQUEST_TARGET_BRANCH_NAME"
    - echo "base=$CI_MERGE_REQUEST_DIFF_BASE_SHA protected=$CI_COMMIT_REF_PROTECTED"
    - echo "ref=$CI_COMMIT_REF_NAME branch=${CI_COMMIT_BRANCH-none} source=${CI_MERGE_REQUEST_SOURCE_BRANCH_NAME-none}"
    - git log --format='head=%H' -1
docs:
  rules: [{if: $CI_PIPELINE_SOURCE == "merge_request_event", changes: ["docs/*"]}]
  script: ['true']
old: {only: [merge_requests], script: ['true']}
main: {only: [main], script: ['true']}
)yml";

class MergeRequestPipelines : public testing::Test {
 public:
  MergeRequestPipelines() {
    served.write(".gitlab-ci.yml", kSwitch);
    base = served.commit("first");
  }
  /// A commit on top of `from`, elsewhere: the repository's HEAD stays where it is.
  std::string commit_elsewhere(const std::string& file, const std::string& from) {
    return served.git(
        "{ [ -d ../fork ] || git clone -q . ../fork; } && cd ../fork && git fetch -q origin && "
        "git checkout -q --detach " +
        from + " && mkdir -p docs && echo " + std::to_string(++count) + " > " + file +
        " && git add -A && git -c user.name=Lee -c user.email=lee@example.com commit -q -m change && "
        "git rev-parse HEAD");
  }
  /// A commit on top of `from` that is the head of this merge request.
  std::string push_request(const std::string& ref, const std::string& file = "file",
                           const std::string& from = "origin/main") {
    std::string sha = commit_elsewhere(file, from);
    EXPECT_EQ(served.git("cd ../fork && git push -q -f origin " + sha + ":" + ref), "");
    return sha;
  }
  storage::ProjectRecord add_project(storage::ProjectRecord project = {}) {
    project.merge_requests = true;
    return served.add_project(project);
  }
  std::string head_of(const std::string& ref) {
    std::string sha;
    served.store().read([&](storage::Tx& tx) {
      if (const auto head = storage::RefHeads(tx).find(1, ref)) sha = head->sha;
    });
    return sha;
  }
  void wait_for_head(const std::string& ref, const std::string& sha) {
    served.wait_until([&](const auto&) { return head_of(ref) == sha; });
  }
  void deliver(const std::string& key, std::int64_t number, const std::string& action,
               const std::string& target = "main") {
    served.store().write([&](storage::Tx& tx) {
      storage::DeliveryRecord record;
      record.project = 1;
      record.forge = "github";
      record.event = "merge_request";
      record.key = key;
      record.hint = R"({"merge_request":{"number":)" + std::to_string(number) + R"(,"action":")" + action +
                    R"(","source_branch":"topic","target_branch":")" + target + R"(","from_fork":false}})";
      storage::Deliveries(tx).insert_once(record);
    });
  }
  std::vector<std::string> names_of(const storage::PipelineRecord& pipeline) {
    std::vector<std::string> names;
    for (const auto& job : served.jobs(pipeline.id)) names.push_back(job.name);
    return names;
  }

  Served served;
  std::string base;
  int count = 0;
};

TEST_F(MergeRequestPipelines, AreNotMadeUnlessTheProjectWantsThem) {
  push_request("refs/pull/1/head");
  served.add_project();
  served.start();
  EXPECT_EQ(served.wait_for(1)[0].source, "push");
  push_request("refs/pull/1/head");
  served.git("git commit -q --allow-empty -m second");
  EXPECT_EQ(served.wait_for(2)[1].source, "push");
  EXPECT_EQ(head_of("refs/pull/1/head"), "");
}

TEST_F(MergeRequestPipelines, KnowWhatTheyAreOf) {
  add_project();
  served.start();
  served.wait_for(1);
  served.git("git commit -q --allow-empty -m later");
  served.wait_for(2);
  const std::string sha = push_request("refs/merge-requests/7/head", "file", base);
  const auto pipelines = served.wait_for(3);
  const auto& made = pipelines[2];
  EXPECT_EQ(made.status, JobStatus::success);
  EXPECT_EQ(made.source, "merge_request_event");
  EXPECT_EQ(made.ref, "merge-requests/7/head");
  EXPECT_EQ(made.sha, sha);
  EXPECT_EQ(made.before_sha, std::string(40, '0'));
  EXPECT_EQ(made.started_by, "merge request 7");
  EXPECT_THAT(names_of(made), ElementsAre("review", "old")) << "only docs/ changed nothing";
  const std::string log = served.log(served.jobs(made.id)[0]);
  EXPECT_THAT(log, HasSubstr("\nmerge_request_event 7 detached\n"));
  EXPECT_THAT(log, HasSubstr("\npath=refs/merge-requests/7/head target=main\n"));
  EXPECT_THAT(log, HasSubstr("\nbase=" + base + " protected=false\n"));
  EXPECT_THAT(log, HasSubstr("\nref=merge-requests/7/head branch=none source=none\n"));
  EXPECT_THAT(log, HasSubstr("\nhead=" + sha + "\n"));
}

TEST_F(MergeRequestPipelines, CountChangesFromWhereTheyLeftTheTarget) {
  add_project();
  served.start();
  served.wait_for(1);
  const std::string documented = commit_elsewhere("docs/page", "origin/main");
  push_request("refs/pull/2/head", "file", documented);
  const auto pipelines = served.wait_for(2);
  EXPECT_THAT(names_of(pipelines[1]), ElementsAre("review", "docs", "old"))
      << "the last commit alone leaves docs/ as it was";
}

TEST_F(MergeRequestPipelines, ThoseThatWereThereRunOnceTheyChange) {
  const std::string first = push_request("refs/pull/1/head"), second = push_request("refs/pull/2/head");
  add_project();
  served.start();
  wait_for_head("refs/pull/1/head", first);
  wait_for_head("refs/pull/2/head", second);
  served.wait_for(1);
  const std::string changed = push_request("refs/pull/2/head");
  auto pipelines = served.wait_for(2);
  EXPECT_EQ(pipelines[1].sha, changed);
  // One that is opened now is new.
  const std::string opened = push_request("refs/pull/3/head");
  pipelines = served.wait_for(3);
  EXPECT_EQ(pipelines[2].sha, opened);
  EXPECT_EQ(head_of("refs/pull/1/head"), first);
}

TEST_F(MergeRequestPipelines, OneThatWasThereRunsWhenItsWebhookArrivesAndOnlyOnce) {
  const std::string sha = push_request("refs/pull/1/head");
  served.git("git branch release " + base);
  storage::ProjectRecord project;
  project.poll_interval = std::chrono::milliseconds(25);
  add_project(project);
  served.start();
  wait_for_head("refs/pull/1/head", sha);
  served.wait_for(1);
  deliver("a", 1, "opened", "release");
  const auto pipelines = served.wait_for(2);
  EXPECT_EQ(pipelines[1].sha, sha);
  const std::string log = served.log(served.jobs(pipelines[1].id)[0]);
  EXPECT_THAT(log, HasSubstr(" target=release\n"));
  EXPECT_THAT(log, HasSubstr("\nref=topic branch=none source=topic\n"));
  deliver("b", 1, "updated");
  served.wait_until([&](const auto&) {
    std::vector<storage::DeliveryRecord> waiting;
    served.store().read([&](storage::Tx& tx) { waiting = storage::Deliveries(tx).pending(10); });
    return waiting.empty();
  });
  EXPECT_THAT(served.pipelines(), SizeIs(2));
}

TEST_F(MergeRequestPipelines, ClosedOnesAreForgotten) {
  add_project();
  served.start();
  served.wait_for(1);
  push_request("refs/pull/1/head");
  served.wait_for(2);
  served.git("git update-ref -d refs/pull/1/head");
  wait_for_head("refs/pull/1/head", "");
  // What a webhook calls closed gets none, though its ref is there.
  served.stop();
  const std::string sha = push_request("refs/pull/2/head");
  deliver("a", 2, "closed");
  served.start();
  wait_for_head("refs/pull/2/head", sha);
  EXPECT_THAT(served.pipelines(), SizeIs(2));
}

TEST_F(MergeRequestPipelines, AreForgottenWhenTheyAreSwitchedOff) {
  const std::string sha = push_request("refs/pull/1/head");
  add_project();
  served.start();
  wait_for_head("refs/pull/1/head", sha);
  served.store().write([](storage::Tx& tx) {
    auto project = storage::Projects(tx).find(1).value();
    project.merge_requests = false;
    ASSERT_TRUE(storage::Projects(tx).replace(project, project.version));
  });
  wait_for_head("refs/pull/1/head", "");
}

TEST_F(MergeRequestPipelines, ANewerCommitEndsWhatTheOlderHasNotStarted) {
  const auto gate = served.data() / "gate";
  served.write(".gitlab-ci.yml",
               "wait: {interruptible: true, rules: [{if: $CI_MERGE_REQUEST_IID}], script: ['while [ ! -e " +
                   gate.native() + " ]; do sleep 0.05; done']}\n");
  served.commit("waits");
  add_project();
  served.start();
  served.wait_until(
      [&](const auto&) { return head_of("refs/heads/main") == served.git("git rev-parse main"); });
  push_request("refs/pull/1/head");
  push_request("refs/pull/2/head");
  served.wait_until([&](const auto& found) { return found.size() == 2; });
  push_request("refs/pull/1/head");
  served.wait_until([](const auto& found) { return found.size() == 3 && is_completed(found[0].status); });
  write_file_atomic(gate, "");
  const auto pipelines = served.wait_for(3);
  EXPECT_EQ(pipelines[0].status, JobStatus::canceled);
  EXPECT_EQ(pipelines[1].status, JobStatus::success) << "of another request";
  EXPECT_EQ(pipelines[2].status, JobStatus::success);
}

TEST_F(MergeRequestPipelines, OutliveTheServer) {
  const auto gate = served.data() / "gate", ran = served.data() / "ran";
  served.write(".gitlab-ci.yml", "a: {stage: build, rules: [{if: $CI_MERGE_REQUEST_IID}], script: ['touch " +
                                     ran.native() + "; while [ ! -e " + gate.native() +
                                     " ]; do sleep 0.05; done']}\nb: {stage: test, rules: [{if: "
                                     "$CI_MERGE_REQUEST_IID}], script: ['git rev-parse HEAD']}\n");
  served.commit("waits");
  add_project();
  served.start();
  served.wait_until(
      [&](const auto&) { return head_of("refs/heads/main") == served.git("git rev-parse main"); });
  const std::string sha = push_request("refs/pull/1/head");
  served.wait_until([&](const auto&) { return std::filesystem::exists(ran); });
  served.stop();
  write_file_atomic(gate, "");
  served.start();
  const auto pipelines = served.wait_for(1);
  EXPECT_EQ(pipelines[0].status, JobStatus::success);
  EXPECT_THAT(served.log(served.jobs(pipelines[0].id)[1]), HasSubstr(sha));
}

TEST_F(MergeRequestPipelines, AskTheForgeAndTellItUnderANameOfTheirOwn) {
  FakeForge fake(forge::ForgeKind::github);
  fake.have("/repos/team/shop/pulls/1",
            R"({"state":"open","title":"Mend it","head":{"ref":"main","repo":{"id":2}},)"
            R"("base":{"ref":"release","repo":{"id":1}}})");
  fake.have("/repos/team/shop/pulls/2",
            R"({"state":"closed","head":{"ref":"x","repo":{"id":1}},"base":{"ref":"main","repo":{"id":1}}})");
  served.git("git branch release " + base);
  storage::ProjectRecord project;
  project.forge = "github";
  project.forge_api = fake.api();
  project.forge_repository = "team/shop";
  project = add_project(project);
  const storage::Sealer sealer = daemon::open_sealer(served.data(), served.store());
  served.store().write([&](storage::Tx& tx) {
    storage::CredentialRecord credential;
    credential.project = project.id;
    credential.kind = storage::CredentialKind::forge_token;
    storage::Credentials(tx, sealer).insert(credential, FakeForge::kToken);
  });
  served.start();
  served.wait_for(1);
  const std::string closed = push_request("refs/pull/2/head");
  wait_for_head("refs/pull/2/head", closed);
  const std::string sha = push_request("refs/pull/1/head");
  const auto pipelines = served.wait_for(2);
  ASSERT_THAT(pipelines, SizeIs(2)) << "the closed one has none";
  const std::string log = served.log(served.jobs(pipelines[1].id)[0]);
  EXPECT_THAT(log, HasSubstr(" target=release\n"));
  EXPECT_THAT(log, HasSubstr("\nref=pull/1/head ")) << "the main of a fork is not ours";
  EXPECT_TRUE(fake.wait_until([&] { return fake.last_of(sha).contains("runner (merge request) / review"); }));
  EXPECT_TRUE(fake.wait_until([&] {
    const auto last = fake.last_of(sha);
    return last.contains("runner (merge request)") && last.at("runner (merge request)") == "success";
  }));
  EXPECT_FALSE(fake.last_of(sha).contains("runner"));
  served.stop();
  EXPECT_THAT(fake.complaints(), IsEmpty());
}

TEST(RequestHints, TheLastOneOfANumberCounts) {
  const auto hint = [](const std::string& text) {
    storage::DeliveryRecord record;
    record.hint = text;
    return record;
  };
  const auto hints = daemon::request_hints(
      {hint("nonsense"), hint("{}"), hint(R"({"merge_request":null})"),
       hint(R"({"merge_request":{"number":"x"}})"),
       hint(R"({"merge_request":{"number":3,"action":"opened","source_branch":"a","target_branch":"b",)"
            R"("from_fork":true}})"),
       hint(R"({"merge_request":{"number":3,"action":"merged","source_branch":"a","target_branch":"c",)"
            R"("from_fork":true}})")});
  ASSERT_THAT(hints, SizeIs(1));
  EXPECT_TRUE(hints.at(3).closed);
  EXPECT_EQ(hints.at(3).target_branch, "c");
}

TEST(RequestHints, NotMoreThanSoManyRunAtOnce) {
  storage::ProjectRecord project;
  project.merge_requests = project.merge_requests_noted = true;
  std::vector<daemon::ChangedRef> changed{{"refs/heads/main", "", "x"}};
  for (int i = 1; i <= 9; ++i) changed.push_back({"refs/pull/" + std::to_string(i) + "/head", "", "x"});
  const auto sorted = daemon::sort_requests(project, changed, {}, {}, 4);
  EXPECT_THAT(sorted.wanted, SizeIs(5));
  EXPECT_THAT(sorted.noted, IsEmpty()) << "the others are news once more";
}

}  // namespace
}  // namespace runner::test
