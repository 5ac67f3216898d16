// Which deployment a job carries out, and what of one whose process died.
#include "deployments/job/deploy_turn.h"

#include <gmock/gmock.h>

#include <thread>

#include "deployments/gate.h"
#include "deployments/journal.h"
#include "runner/base/error.h"
#include "runner/base/files.h"

namespace runner::deployments {
namespace {

using storage::DeploymentRecord;
using testing::HasSubstr;

class TurnTest : public testing::Test {
 protected:
  TurnTest() {
    request_.project = "shop";
    request_.environment = "staging";
    request_.job = "deploy";
    request_.ref = "main";
    request_.places = top_.path() / "places";
  }
  static Release release(const std::string& id) {
    Release made;
    made.id = id;
    return made;
  }
  DeployTurn turn() { return {*store_, clock_, request_}; }
  std::string refusal(const std::string& id) {
    try {
      turn().begin(release(id));
    } catch (const Error& error) {
      return error.what();
    }
    return "it began";
  }
  void lead(std::int64_t id, std::initializer_list<State> states) {
    Journal journal(*store_, clock_, id, {});
    for (const State state : states) journal.go(state);
  }

  SystemClock clock_;
  std::unique_ptr<storage::Store> store_ = storage::make_memory_store(clock_);
  TempDir top_;
  DeployRequest request_;
};

TEST_F(TurnTest, AloneItBeginsAtOnceWithAFenceThatGrows) {
  const DeploymentRecord first = turn().begin(release("aaaa"));
  EXPECT_EQ(first.state, "locked");
  EXPECT_EQ(first.fence, 1);
  EXPECT_EQ(turn().take_fence(first.id).fence, 2);
  EXPECT_EQ(turn().take_fence(first.id, 40).fence, 41);
  lead(first.id, {State::preparing, State::snapshotted, State::progressing, State::switched, State::verifying,
                  State::finalizing, State::succeeded});
  const DeploymentRecord second = turn().begin(release("bbbb"));
  EXPECT_EQ(second.base, first.id);
  EXPECT_EQ(second.fence, 42);
  EXPECT_THAT(turn().history(second.environment, 5), testing::ElementsAre("aaaa"));
}

TEST_F(TurnTest, WhatADeadProcessLeftOfTheSameReleaseGoesOn) {
  const DeploymentRecord left = turn().begin(release("aaaa"));
  lead(left.id, {State::preparing, State::snapshotted, State::progressing});
  EXPECT_EQ(turn().begin(release("aaaa")).id, left.id);
}

TEST_F(TurnTest, WhatADeadProcessLeftOfAnotherReleaseIsTakenOver) {
  const std::pair<std::vector<State>, std::string> cases[] = {
      {{}, "failed"},
      {{State::preparing}, "failed"},
      {{State::preparing, State::snapshotted, State::progressing}, "resolved"},
      {{State::preparing, State::snapshotted, State::rolling_back}, "resolved"},
      {{State::preparing, State::snapshotted, State::progressing, State::switched, State::verifying,
        State::finalizing},
       "succeeded"}};
  int number = 0;
  for (const auto& [states, end] : cases) {
    request_.environment = "staging" + std::to_string(++number);
    const DeploymentRecord left = turn().begin(release("aaaa"));
    for (const State state : states) lead(left.id, {state});
    const DeploymentRecord next = turn().begin(release("bbbb"));
    EXPECT_NE(next.id, left.id);
    EXPECT_EQ(next.state, "locked");
    EXPECT_GT(next.fence, left.fence);
    EXPECT_EQ(turn().now(left.id).state, end) << number;
    EXPECT_THAT(turn().now(left.id).reason, HasSubstr("its process died")) << number;
  }
}

TEST_F(TurnTest, WithAGateItIsTheOneThatTheGateLetThrough) {
  request_.gated = true;
  request_.pipeline = 7;
  EXPECT_THAT(refusal("aaaa"), HasSubstr("nothing is to be deployed to 'staging' of 'shop' by this job"));
  Gate gate(*store_, clock_, [](const std::string&) { return std::optional<Person>(); });
  NewDeployment wanted;
  wanted.project = "shop";
  wanted.environment = "staging";
  wanted.pipeline = 7;
  wanted.job = "deploy";
  const DeploymentRecord added = gate.add(wanted);
  EXPECT_THAT(refusal("aaaa"), HasSubstr("deployment 1 planned"));
  ASSERT_TRUE(gate.advance(added.environment));
  EXPECT_EQ(turn().begin(release("aaaa")).id, added.id);
  request_.job = "other";
  EXPECT_THAT(refusal("aaaa"), HasSubstr("nothing is to be deployed"));
}

TEST_F(TurnTest, OnlyOneProcessOfAMachineWorksInAPlace) {
  const auto place = place_of(request_);
  UniqueFd held = take_place(place, std::chrono::seconds(0), {});
  EXPECT_THROW(take_place(place, std::chrono::milliseconds(60), {}), Error);
  std::stop_source asked;
  asked.request_stop();
  EXPECT_THROW(take_place(place, std::chrono::hours(1), asked.get_token()), Error);
  std::jthread leaves([&] { held.reset(); });
  EXPECT_TRUE(take_place(place, std::chrono::minutes(1), {}));
  request_.environment = "../../etc";
  EXPECT_EQ(place_of(request_).parent_path(), request_.places);
}

TEST_F(TurnTest, TheRequestIsReadOnceAndAsItWas) {
  request_.gated = true;
  request_.pipeline = 3;
  request_.block = "{}";
  request_.variables = {{"A", "\xff\n"}};
  request_.secrets = {{"KEY", "-----BEGIN\n"}};
  request_.workspace = "/w\xc3\xa4";
  write_deploy_request(top_.path(), request_);
  EXPECT_EQ(std::filesystem::status(top_.path() / "request").permissions(),
            std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  EXPECT_EQ(take_deploy_request(top_.path()), request_);
  EXPECT_THROW(take_deploy_request(top_.path()), Error);
  write_file_atomic(top_.path() / "request", "{\"gated\":\"s3cret\"}", 0600, false);
  try {
    take_deploy_request(top_.path());
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::Not(HasSubstr("s3cret")));
  }
}

}  // namespace
}  // namespace runner::deployments
