// Who may let a deployment begin, and which one begins: every case that must be refused.
#include "deployments/gate.h"

#include <gmock/gmock.h>

#include <atomic>

#include "runner/base/error.h"

namespace runner::deployments {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using testing::HasSubstr;
using Kind = GateAnswer::Kind;

class SetClock final : public Clock {
 public:
  TimePoint now() const override { return now_; }
  SteadyPoint steady_now() const override { return SteadyPoint(now_.time_since_epoch()); }
  void go(milliseconds by) { now_ += by; }

 private:
  TimePoint now_{std::chrono::sys_days(std::chrono::year(2026) / 11 / 24) + hours(10)};  // a Tuesday
};

class GateTest : public testing::Test {
 protected:
  GateTest()
      : store_(storage::make_memory_store(clock_)),
        gate_(*store_, clock_, [this](const std::string& name) -> std::optional<Person> {
          const auto found = people_.find(name);
          if (found == people_.end()) return std::nullopt;
          return found->second;
        }) {
    for (const auto& [name, role, groups] :
         std::vector<std::tuple<std::string, std::string, std::set<std::string>>>{
             {"ada", "developer", {}},
             {"ben", "developer", {"ops"}},
             {"cid", "developer", {"ops"}},
             {"dot", "viewer", {}},
             {"eve", "admin", {}}})
      people_[name] = Person{name, role, groups, {}, {name + "@example.org"}, true};
    environment_ = 0;
    protect(R"({"approvals": {"rules": [{"name": "peers", "count": 1, "who": ["role:developer"]},
                                        {"name": "ops", "count": 1, "who": ["group:ops"]}]}})");
  }

  void protect(const std::string& json) {
    store_->write([&](storage::Tx& tx) {
      storage::Environments environments(tx);
      const auto environment = environments.of("shop", "production", clock_.now());
      environment_ = environment.id;
      environments.set_protection(environment.id, json, environment.version);
    });
  }

  storage::DeploymentRecord add(const std::string& by = "ada", const std::string& ref = "main",
                                const std::string& kind = "deploy") {
    NewDeployment wanted;
    wanted.project = "shop";
    wanted.environment = "production";
    wanted.kind = kind;
    wanted.job = "deploy";
    wanted.ref = ref;
    wanted.sha = "c0ffee";
    wanted.triggered_by = by;
    wanted.release = "r" + std::to_string(++made_);
    wanted.fingerprint = {"plan"};
    wanted.commit_authors = authors_;
    const auto deployment = gate_.add(wanted);
    advance();
    return deployment;
  }

  std::optional<std::int64_t> advance() {
    const auto locked = gate_.advance(environment_);
    if (locked) last_locked_ = locked->id;
    return locked ? std::optional(locked->id) : std::nullopt;
  }

  Kind approve(std::int64_t id, const std::string& name) {
    const auto answer = gate_.approve(id, people_.at(name), "", "token");
    why_ = answer.why;
    advance();
    return answer.kind;
  }

  std::string state(std::int64_t id) { return gate_.view(id)->deployment.state; }
  std::string reason(std::int64_t id) { return gate_.view(id)->deployment.reason; }

  void finish(std::int64_t id, State end = State::succeeded) {
    Journal journal(*store_, clock_, id, {});
    for (const State next : {State::preparing, State::snapshotted, State::progressing, State::switched,
                             State::verifying, State::finalizing})
      if (end == State::succeeded || next == State::preparing) journal.go(next);
    journal.go(end);
  }

  SetClock clock_;
  std::unique_ptr<storage::Store> store_;
  std::map<std::string, Person> people_;
  Gate gate_;
  std::int64_t environment_;
  std::set<std::string> authors_;
  std::string why_;
  int made_ = 0;
  std::int64_t last_locked_ = 0;
};

TEST_F(GateTest, TheLastApprovalLetsItBegin) {
  const auto id = add().id;
  EXPECT_EQ(state(id), "waiting_approval");
  EXPECT_EQ(reason(id), "waits for 1 approval of 'peers' (role:developer), 1 approval of 'ops' (group:ops)");
  EXPECT_EQ(approve(id, "ben"), Kind::done);
  EXPECT_EQ(state(id), "waiting_approval");
  EXPECT_EQ(approve(id, "cid"), Kind::done);
  EXPECT_EQ(state(id), "locked");
  EXPECT_EQ(last_locked_, id);
}

TEST_F(GateTest, EachPersonCountsOnce) {
  const auto id = add().id;
  EXPECT_EQ(approve(id, "ben"), Kind::done);
  EXPECT_EQ(approve(id, "ben"), Kind::done) << "the same again";
  EXPECT_EQ(state(id), "waiting_approval");
}

TEST_F(GateTest, APersonCountsWhereTheyAreNeeded) {
  people_["fay"] = Person{"fay", "developer", {}, {}, {}, true};
  const auto id = add().id;
  EXPECT_EQ(approve(id, "ben"), Kind::done) << "for either rule";
  EXPECT_EQ(approve(id, "fay"), Kind::done) << "for one only, so ben counts for the other";
  EXPECT_EQ(state(id), "locked");
}

TEST_F(GateTest, WhoMayNotApproveIsRefusedAndToldWhy) {
  authors_ = {"cid@example.org"};
  protect(
      R"({"approvals": {"rules": [{"count": 1, "who": ["role:developer"]}], "exclude_commit_authors": true}})");
  const auto id = add("ada").id;
  for (const auto& [name, why] : std::vector<std::pair<std::string, std::string>>{
           {"ada", "whoever started a deployment does not approve it"},
           {"cid", "authors of what is new in a deployment do not approve it"},
           {"dot", "no approval rule of the environment names dot"}}) {
    EXPECT_EQ(approve(id, name), Kind::not_permitted) << name;
    EXPECT_EQ(why_, why);
    EXPECT_EQ(gate_.reject(id, people_.at(name), "", "token").kind, Kind::not_permitted) << name;
  }
  people_.at("ben").enabled = false;
  EXPECT_EQ(approve(id, "ben"), Kind::not_permitted);
  EXPECT_EQ(state(id), "waiting_approval");
}

TEST_F(GateTest, SelfApprovalIsForThoseWhoAllowIt) {
  protect(R"({"approvals": {"rules": [{"who": ["role:developer"]}], "self_approval": true}})");
  const auto id = add("ada").id;
  EXPECT_EQ(approve(id, "ada"), Kind::done);
  EXPECT_EQ(state(id), "locked");
}

TEST_F(GateTest, WhoLosesTheirPlaceLosesTheirApproval) {
  const auto id = add().id;
  EXPECT_EQ(approve(id, "ben"), Kind::done);
  people_.at("ben").groups.clear();
  people_.at("ben").role = "viewer";
  EXPECT_EQ(approve(id, "cid"), Kind::done);
  EXPECT_EQ(state(id), "waiting_approval");
  EXPECT_THAT(gate_.view(id)->approvals.void_ones,
              testing::ElementsAre("ben: no approval rule of the environment names ben"));
  people_.erase("ben");
  EXPECT_THAT(gate_.view(id)->approvals.void_ones,
              testing::ElementsAre("ben: there is no such user any more"));
}

TEST_F(GateTest, AChangedProtectionCountsForWhatWaits) {
  const auto id = add().id;
  EXPECT_EQ(approve(id, "ben"), Kind::done);
  protect(R"({"approvals": {"rules": [{"who": ["group:ops"]}]}})");
  advance();
  EXPECT_EQ(state(id), "locked");
}

TEST_F(GateTest, AnApprovalIsForExactlyWhatWasThereWhenItWasGiven) {
  const auto first = add().id, second = add().id;
  EXPECT_EQ(approve(second, "ben"), Kind::done);
  EXPECT_EQ(approve(first, "ben"), Kind::done);
  EXPECT_EQ(approve(first, "cid"), Kind::done);
  ASSERT_EQ(state(first), "locked");
  finish(first);
  advance();
  // Another release runs there now: the second would replace something else than what was agreed to.
  EXPECT_EQ(approve(second, "cid"), Kind::done);
  EXPECT_EQ(state(second), "waiting_approval");
  EXPECT_THAT(gate_.view(second)->approvals.void_ones,
              testing::ElementsAre("ben: of something else than what is to be deployed now"));
  EXPECT_EQ(approve(second, "ben"), Kind::done);
  EXPECT_EQ(state(second), "locked");
}

TEST_F(GateTest, ARejectionIsFinal) {
  const auto id = add().id;
  EXPECT_EQ(gate_.reject(id, people_.at("ben"), "not on a Friday", "token").kind, Kind::done);
  EXPECT_EQ(state(id), "rejected");
  EXPECT_EQ(reason(id), "rejected by ben: not on a Friday");
  EXPECT_EQ(approve(id, "cid"), Kind::not_possible);
  EXPECT_THAT(why_, HasSubstr("is rejected (rejected by ben: not on a Friday)"));
  EXPECT_EQ(gate_.break_glass(id, people_.at("eve"), "x").kind, Kind::not_possible);
}

TEST_F(GateTest, WhatNobodyApprovesExpires) {
  protect(R"({"approvals": {"rules": [{"who": ["role:developer"]}], "expires_after": "24h"}})");
  const auto id = add().id;
  EXPECT_EQ(gate_.next_wake(environment_), clock_.now() + hours(24));
  clock_.go(hours(24) - milliseconds(1));
  advance();
  EXPECT_EQ(state(id), "waiting_approval");
  clock_.go(milliseconds(1));
  advance();
  EXPECT_EQ(state(id), "expired");
  EXPECT_EQ(approve(id, "ben"), Kind::not_possible);
}

TEST_F(GateTest, OldApprovalsAreAskedForAgain) {
  protect(
      R"({"approvals": {"rules": [{"who": ["role:developer"]}], "reapprove_after": "72h", "start": "manual"}})");
  const auto id = add().id;
  EXPECT_EQ(approve(id, "ben"), Kind::done);
  EXPECT_EQ(state(id), "queued");
  EXPECT_EQ(reason(id), "waits for a person to start it");
  clock_.go(hours(73));
  advance();
  EXPECT_EQ(state(id), "waiting_approval");
  EXPECT_EQ(approve(id, "ben"), Kind::done);
  EXPECT_EQ(gate_.start(id, people_.at("ada")).kind, Kind::done);
  advance();
  EXPECT_EQ(state(id), "locked");
}

TEST_F(GateTest, RefsAndDeployersAreTheServers) {
  protect(R"({"refs": ["main"], "deployers": ["role:developer"]})");
  const auto branch = add("ada", "feature");
  EXPECT_EQ(branch.state, "failed");
  EXPECT_EQ(branch.reason, "'feature' may not be deployed to 'production': allowed are main");
  EXPECT_EQ(add("dot").reason, "'dot' may not deploy to 'production': role:developer may");
  EXPECT_EQ(add("nobody").reason, "'nobody' may not deploy to 'production': role:developer may");
  EXPECT_EQ(add("").reason,
            "it is not known who started this, so it may not deploy to 'production': role:developer may");
  EXPECT_EQ(state(add("ada").id), "locked");
}

TEST_F(GateTest, AFreezeOpensByItself) {
  protect(R"({"freeze": [{"from": "Tue 09:00", "to": "Tue 12:00"}]})");
  const auto id = add().id;
  EXPECT_EQ(state(id), "waiting_window");
  EXPECT_EQ(reason(id), "frozen until 2026-11-24T12:00:00Z");
  EXPECT_EQ(gate_.next_wake(environment_), clock_.now() + hours(2));
  clock_.go(hours(-1));  // set back
  advance();
  EXPECT_EQ(state(id), "waiting_window");
  clock_.go(hours(3));
  advance();
  EXPECT_EQ(state(id), "locked");
}

TEST_F(GateTest, BreakingTheGlassIsForFewAndStaysForEver) {
  protect(R"({"approvals": {"rules": [{"who": ["role:developer"]}], "break_glass": {"who": ["role:admin"]}},
              "freeze": [{"from": "Tue 09:00", "to": "Tue 12:00"}]})");
  const auto id = add().id;
  EXPECT_EQ(gate_.break_glass(id, people_.at("ben"), "fire").kind, Kind::not_permitted);
  EXPECT_EQ(gate_.break_glass(id, people_.at("eve"), "  ").kind, Kind::not_possible);
  EXPECT_EQ(gate_.break_glass(id, people_.at("eve"), "fire").kind, Kind::done);
  advance();
  EXPECT_EQ(state(id), "locked");
  EXPECT_EQ(gate_.view(id)->deployment.forced, "eve: fire");
  finish(id);
  EXPECT_EQ(gate_.view(id)->deployment.forced, "eve: fire");
}

TEST_F(GateTest, OneAtATimeInTheirOrder) {
  protect(R"({"queue": "fifo"})");
  const auto first = add().id, second = add().id, third = add().id;
  EXPECT_EQ(state(first), "locked");
  EXPECT_EQ(state(second), "queued");
  finish(first);
  EXPECT_EQ(advance(), second);
  EXPECT_EQ(state(third), "queued");
  EXPECT_EQ(advance(), std::nullopt);
}

TEST_F(GateTest, TheLatestTakesThePlaceOfTheOlder) {
  protect(R"({"queue": "latest"})");
  const auto first = add().id, second = add().id, third = add().id;
  EXPECT_EQ(state(first), "locked");
  finish(first);
  EXPECT_EQ(advance(), third);
  EXPECT_EQ(state(second), "superseded");
  EXPECT_EQ(reason(second), "deployment 3 is newer and goes in its place");
}

TEST_F(GateTest, WhatIsOlderThanWhatRunsIsRefusedButARollbackIsNot) {
  const auto older = add("ada").id, newer = add("ada").id;
  EXPECT_EQ(approve(newer, "ben"), Kind::done);
  EXPECT_EQ(approve(newer, "cid"), Kind::done);
  ASSERT_EQ(state(newer), "locked") << "who waits for approval takes no place in the queue";
  finish(newer);
  advance();
  EXPECT_EQ(state(older), "superseded");
  EXPECT_EQ(reason(older), "deployment 2, which is newer, runs there");
  EXPECT_EQ(state(add("ada", "main", "rollback").id), "locked") << "it needs no approval unless it is said";
}

TEST_F(GateTest, ARollbackGoesBeforeAllThatWaits) {
  protect(R"({"queue": "fifo"})");
  const auto first = add().id, second = add().id, rollback = add("ada", "main", "rollback").id;
  finish(first);
  EXPECT_EQ(advance(), rollback);
  EXPECT_EQ(state(second), "queued");
}

TEST_F(GateTest, AFailedRollbackKeepsTheEnvironment) {
  protect("{}");
  const auto first = add().id, second = add().id;
  {
    Journal journal(*store_, clock_, first, {});
    for (const State next : {State::preparing, State::snapshotted, State::progressing, State::rolling_back,
                             State::rollback_failed})
      journal.go(next);
  }
  EXPECT_EQ(advance(), std::nullopt);
  EXPECT_EQ(state(second), "queued");
  Journal(*store_, clock_, first, {}).go(State::resolved, "by hand");
  EXPECT_EQ(advance(), second);
}

TEST_F(GateTest, WhatHasBegunIsNotCanceledHere) {
  protect(R"({"queue": "fifo"})");
  const auto first = add().id, second = add().id;
  EXPECT_EQ(gate_.cancel(first, people_.at("ada")).kind, Kind::not_possible);
  EXPECT_EQ(gate_.cancel(second, people_.at("ada")).kind, Kind::done);
  EXPECT_EQ(state(second), "canceled");
  EXPECT_EQ(gate_.cancel(99, people_.at("ada")).kind, Kind::not_found);
}

TEST_F(GateTest, AWaitAfterTheApprovalIsKept) {
  protect(R"({"approvals": {"rules": [{"who": ["role:developer"]}]}, "wait": "10 minutes"})");
  const auto id = add().id;
  EXPECT_EQ(approve(id, "ben"), Kind::done);
  EXPECT_EQ(state(id), "waiting_window");
  EXPECT_EQ(gate_.next_wake(environment_), clock_.now() + minutes(10));
  clock_.go(minutes(10));
  advance();
  EXPECT_EQ(state(id), "locked");
}

}  // namespace
}  // namespace runner::deployments
