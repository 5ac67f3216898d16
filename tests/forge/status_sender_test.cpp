// What is written to the outbox, and what a forge gets of it.
#include "runner/forge/status_sender.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runner/forge/status_outbox.h"
#include "runner/storage/credential_table.h"
#include "runner/storage/outbox_table.h"
#include "runner/storage/pipeline_table.h"
#include "runner/storage/project_table.h"
#include "runner/storage/status_report_table.h"
#include "tests/forge/support/fake_forge.h"

namespace runner::forge {
namespace {

using pipelines::JobStatus;
using storage::CredentialKind;
using test::FakeForge;
using test::forge_answer;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string kSha(40, 'c');

class Sending : public testing::Test {
 public:
  ~Sending() override { EXPECT_THAT(fake.complaints(), IsEmpty()); }

  storage::ProjectRecord add_project(const std::string& name, const FakeForge& at,
                                     const std::string& token = FakeForge::kToken) {
    storage::ProjectRecord project;
    project.name = name;
    project.url = "/srv/shop.git";
    project.forge = to_string(at.kind());
    project.forge_api = at.api();
    project.forge_repository = "team/shop";
    store->write([&](storage::Tx& tx) {
      project.id = storage::Projects(tx).insert(project);
      if (token.empty()) return;
      storage::CredentialRecord credential;
      credential.project = project.id;
      credential.kind = CredentialKind::forge_token;
      storage::Credentials(tx, sealer).insert(credential, token);
    });
    return project;
  }
  storage::PipelineRecord add_pipeline(const storage::ProjectRecord& project,
                                       const std::string& source = "push") {
    storage::PipelineRecord record;
    record.project_id = project.id;
    record.sha = kSha;
    record.ref = "main";
    record.source = source;
    store->write([&](storage::Tx& tx) { record.id = storage::Pipelines(tx).insert(record); });
    return record;
  }
  void note(const storage::PipelineRecord& pipeline, JobStatus now) {
    storage::PipelineRecord changed = pipeline;
    changed.status = now;
    store->write([&](storage::Tx& tx) { outbox.note(tx, changed, true, {}); });
    if (sender) sender->wake();
  }
  void start() { sender.emplace(*store, sealer, clock, options); }
  std::int64_t waiting() {
    std::int64_t count = 0;
    store->read([&](storage::Tx& tx) { count = storage::Outbox(tx).count(kStatusKind); });
    return count;
  }
  bool all_done() {
    return fake.wait_until([&] { return waiting() == 0; });
  }
  storage::StatusReport report(const storage::ProjectRecord& project) {
    storage::StatusReport found;
    store->read([&](storage::Tx& tx) { found = storage::StatusReports(tx).of_project(project.id); });
    return found;
  }
  std::vector<std::string> told() {
    std::vector<std::string> states;
    for (const auto& each : fake.told()) states.push_back(brief(each));
    return states;
  }

  SystemClock clock;
  std::unique_ptr<storage::Store> store = storage::make_memory_store(clock);
  storage::Sealer sealer{storage::Secret::copy_of(std::string(storage::kDataKeySize, 'k'))};
  StatusOutbox outbox{sealer, clock, std::chrono::milliseconds(0)};
  FakeForge fake{ForgeKind::github};
  SenderOptions options = [] {
    SenderOptions made;
    made.first_wait = std::chrono::milliseconds(10);
    made.longest_wait = std::chrono::milliseconds(80);
    return made;
  }();
  std::optional<StatusSender> sender;
};

TEST_F(Sending, ANewerStatusTakesThePlaceOfOneThatWaits) {
  const auto project = add_project("shop", fake);
  const auto pipeline = add_pipeline(project);
  note(pipeline, JobStatus::pending);
  note(pipeline, JobStatus::running);
  note(pipeline, JobStatus::success);
  EXPECT_EQ(waiting(), 1);
  start();
  ASSERT_TRUE(all_done());
  EXPECT_THAT(told(), ElementsAre("runner: success"));
  EXPECT_TRUE(report(project).delivered_at);
  EXPECT_EQ(report(project).failure, "");
  // The thread sleeps now, and is woken.
  note(pipeline, JobStatus::failed);
  ASSERT_TRUE(all_done());
  EXPECT_THAT(told(), ElementsAre("runner: success", "runner: failure"));
  EXPECT_EQ((sender->stats().results.at({ForgeKind::github, "delivered"})), 2U);
}

TEST_F(Sending, OneThatIsOvertakenWhileItIsSentIsFollowedByTheNewerOne) {
  const auto pipeline = add_pipeline(add_project("shop", fake));
  // The newer one is written while the older one is being answered.
  std::atomic<bool> first{true};
  fake.answer_all([&] {
    if (first.exchange(false)) note(pipeline, JobStatus::success);
    return forge_answer(201, {}, "{}");
  });
  note(pipeline, JobStatus::running);
  start();
  ASSERT_TRUE(all_done());
  EXPECT_EQ(fake.requests(), 2U);
}

TEST_F(Sending, TriesAgainWhatMayBeTakenLater) {
  const auto project = add_project("shop", fake);
  fake.answer_next({forge_answer(503), forge_answer(500)});
  note(add_pipeline(project), JobStatus::success);
  start();
  ASSERT_TRUE(all_done());
  EXPECT_THAT(told(), ElementsAre("runner: success"));
  EXPECT_EQ(fake.requests(), 3U);
  EXPECT_EQ(report(project).failure, "") << "all is well since";
  EXPECT_TRUE(report(project).failed_at);
}

TEST_F(Sending, LeavesAForgeAloneAsLongAsItAsksForThat) {
  const auto project = add_project("shop", fake);
  fake.answer_next({forge_answer(429, {{"Retry-After", "2"}})});
  note(add_pipeline(project), JobStatus::success);
  start();
  ASSERT_TRUE(fake.wait_until([&] { return !report(project).failure.empty(); }));
  const auto begin = clock.steady_now();
  // Others of the forge wait, too, without being tried.
  const auto other = add_project("other", fake);
  note(add_pipeline(other), JobStatus::failed);
  ASSERT_TRUE(all_done());
  EXPECT_GE(clock.steady_now() - begin, std::chrono::milliseconds(1'700));
  EXPECT_EQ(fake.requests(), 3U);
}

TEST_F(Sending, GivesUpAfterAFewRefusalsAndSaysWhy) {
  const auto project = add_project("shop", fake, "wrong");
  note(add_pipeline(project), JobStatus::success);
  start();
  ASSERT_TRUE(all_done());
  EXPECT_EQ(fake.requests(), 4U);
  EXPECT_THAT(report(project).failure, HasSubstr("HTTP 401 (Bad credentials)"));
  EXPECT_THAT(report(project).failure, testing::Not(HasSubstr("wrong")));
  EXPECT_EQ((sender->stats().results.at({ForgeKind::github, "dropped"})), 1U);
  EXPECT_EQ((sender->stats().results.at({ForgeKind::github, "failed"})), 3U);
}

TEST_F(Sending, ARefusalOfOneProjectIsNothingToAnother) {
  note(add_pipeline(add_project("bad", fake, "wrong")), JobStatus::success);
  options.first_wait = options.longest_wait = std::chrono::hours(1);
  note(add_pipeline(add_project("good", fake)), JobStatus::success);
  start();
  ASSERT_TRUE(fake.wait_until([&] { return waiting() == 1; }));
  EXPECT_THAT(told(), ElementsAre("runner: success"));
}

TEST_F(Sending, DropsWhatCouldNotBeDeliveredForTooLong) {
  options.given_up = std::chrono::hours(0);
  fake.answer_all([] { return forge_answer(502); });
  const auto project = add_project("shop", fake);
  note(add_pipeline(project), JobStatus::success);
  start();
  ASSERT_TRUE(all_done());
  EXPECT_THAT(report(project).failure, HasSubstr("HTTP 502"));
}

TEST_F(Sending, WhoCannotBeReachedIsTriedAgain) {
  const auto project = add_project("shop", fake);
  fake.stop();
  note(add_pipeline(project), JobStatus::success);
  start();
  ASSERT_TRUE(fake.wait_until([&] { return !report(project).failure.empty(); }));
  EXPECT_THAT(report(project).failure, HasSubstr("the server cannot be reached"));
  fake.start();
  ASSERT_TRUE(all_done());
  EXPECT_THAT(told(), ElementsAre("runner: success"));
}

TEST_F(Sending, StopsAtOnceWhileAForgeDoesNotAnswer) {
  std::mutex mutex;
  std::condition_variable changed;
  bool asked = false, go = false;
  fake.answer_all([&] {
    std::unique_lock lock(mutex);
    asked = true;
    changed.notify_all();
    changed.wait(lock, [&] { return go; });
    return forge_answer(201);
  });
  note(add_pipeline(add_project("shop", fake)), JobStatus::success);
  start();
  {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return asked; });
  }
  const auto begin = clock.steady_now();
  sender->stop();
  EXPECT_LT(clock.steady_now() - begin, std::chrono::seconds(10)) << "the limit is thirty";
  EXPECT_EQ(waiting(), 1) << "the next one sends it";
  {
    const std::lock_guard lock(mutex);
    go = true;
    changed.notify_all();
  }
  fake.stop();  // the one that answers uses what is on this stack
}

TEST_F(Sending, NothingIsWrittenForProjectsWithoutAForgeOrAToken) {
  note(add_pipeline(add_project("secretless", fake, "")), JobStatus::success);
  storage::ProjectRecord plain;
  plain.name = "plain";
  plain.url = "/srv/plain.git";
  store->write([&](storage::Tx& tx) { plain.id = storage::Projects(tx).insert(plain); });
  note(add_pipeline(plain), JobStatus::success);
  EXPECT_EQ(waiting(), 0);
}

TEST_F(Sending, TheTokenOfTheRepositoryGoesToItsOwnHostOnly) {
  storage::ProjectRecord project = add_project("shop", fake, "");
  store->write([&](storage::Tx& tx) {
    storage::CredentialRecord credential;
    credential.project = project.id;
    credential.kind = CredentialKind::token;
    storage::Credentials(tx, sealer).insert(credential, "repository-token");
  });
  const auto token_at = [&](const std::string& url, const std::string& api) {
    project.url = url;
    project.forge_api = api;
    std::string found;
    store->read([&](storage::Tx& tx) {
      const auto token = forge_token(tx, sealer, project, place_of(project));
      if (token) found = token->text();
    });
    return found;
  };
  EXPECT_EQ(token_at("https://git.example.com/team/shop", ""), "repository-token");
  EXPECT_EQ(token_at("https://github.com/team/shop", ""), "repository-token");
  EXPECT_EQ(token_at("https://git.example.com/team/shop", "https://api.example.com"), "");
}

TEST_F(Sending, DropsWhatProjectsLeftThatAreGone) {
  const auto project = add_project("shop", fake);
  storage::PipelineRecord pipeline = add_pipeline(project);
  note(pipeline, JobStatus::success);
  store->write([&](storage::Tx& tx) {
    storage::PipelineRecord done = pipeline;
    done.status = JobStatus::success;
    ++done.version;
    ASSERT_TRUE(storage::Pipelines(tx).replace(done, pipeline.version));
    ASSERT_TRUE(storage::Projects(tx).remove(project.id));
  });
  EXPECT_EQ(waiting(), 1);
  start();
  ASSERT_TRUE(all_done());
  EXPECT_EQ(fake.requests(), 0U);
}

TEST_F(Sending, OfSeveralPipelinesOfACommitTheNewestSpeaks) {
  const auto project = add_project("shop", fake);
  const auto old = add_pipeline(project), request = add_pipeline(project, "merge_request_event");
  note(old, JobStatus::running);
  const auto young = add_pipeline(project, "schedule");
  note(young, JobStatus::success);
  note(old, JobStatus::failed);
  note(request, JobStatus::failed);
  start();
  ASSERT_TRUE(all_done());
  EXPECT_EQ(fake.last_of(kSha), (std::map<std::string, std::string>{{"runner", "success"},
                                                                    {"runner (merge request)", "failure"}}));
}

TEST_F(Sending, AClockThatWasPutBackHoldsNothingForLong) {
  const auto pipeline = add_pipeline(add_project("shop", fake));
  note(pipeline, JobStatus::success);
  // As if it had been written a year from now, and the clock put right then.
  store->write([&](storage::Tx& tx) {
    storage::Outbox(tx).hold(kStatusKind, "", clock.now() + std::chrono::hours(24 * 365));
  });
  options.longest_pause = std::chrono::milliseconds(20);
  start();
  ASSERT_TRUE(all_done());
  EXPECT_THAT(told(), ElementsAre("runner: success"));
}

}  // namespace
}  // namespace runner::forge
