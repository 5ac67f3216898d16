#pragma once
// Environments, deployments to them, their journal and their approvals. What the texts mean is
// `deployments`'; here is how they are kept.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "runner/base/clock.h"
#include "runner/storage/store.h"

namespace runner::storage {

struct EnvironmentRecord {
  std::int64_t id = 0;
  std::string project, name;
  std::string protection;                       // deployments/protection.h, as text; "" = none
  std::int64_t version = 0;                     // of the protection, +1 per change
  std::int64_t fence = 0;                       // the highest token ever given
  std::optional<std::int64_t> holder, current;  // deployments
  TimePoint created_at{};
};

struct DeploymentRecord {
  std::int64_t id = 0;
  std::int64_t environment = 0;
  std::int64_t number = 0;  // in its environment
  std::string kind;         // deploy, rollback, job
  std::string state;        // deployments/state.h
  TimePoint state_since{};
  std::int64_t version = 0;  // +1 per change
  std::int64_t fence = 0;    // its token; 0 until it has one
  std::optional<std::int64_t> pipeline;
  std::string job, ref, sha, triggered_by;
  std::string release, plan, fingerprint;
  std::optional<std::int64_t> base;  // the deployment whose release it replaces
  std::string snapshot, request, reason;
  std::string forced;  // why protection was passed over, by whom; "" = it was not
  TimePoint created_at{};
  std::optional<TimePoint> expires_at, locked_at, finished_at;
};

/// One thing done to one place. Complete once it has a result.
struct StepRecord {
  std::int64_t deployment = 0;
  std::string part;  // prepare, migrate, forward, verify, retire, rollback
  std::int64_t n = 0;
  std::string unit, slot, action;
  std::int64_t fence = 0;    // under which it was begun
  std::int64_t attempt = 1;  // how often it was
  TimePoint begun_at{};
  std::optional<TimePoint> done_at;
  std::string result, message;  // done, failed; "" = begun
};

struct ApprovalRecord {
  std::int64_t deployment = 0;
  std::string person, decision;  // approve, reject
  std::string fingerprint;       // of what was approved
  std::string comment, method;   // method: how the person showed who they are
  TimePoint at{};
};

class Environments {
 public:
  explicit Environments(Tx& tx) noexcept : tx_(tx) {}
  /// The one of this name, made when there is none.
  EnvironmentRecord of(const std::string& project, const std::string& name, TimePoint now);
  std::optional<EnvironmentRecord> find(std::int64_t id);
  std::optional<EnvironmentRecord> find(const std::string& project, const std::string& name);
  /// By name.
  std::vector<EnvironmentRecord> of_project(const std::string& project);
  /// Of all projects, those with a protection.
  std::vector<EnvironmentRecord> protected_ones();
  /// False when `version` is no longer current.
  bool set_protection(std::int64_t id, const std::string& protection, std::int64_t version);
  /// The next token, given to the deployment, which holds the environment from now on. nullopt: another one
  /// holds it. Of the holder itself: a new token, so that what it left running may do no more.
  /// `at_least`: the highest that targets are known to have seen.
  std::optional<std::int64_t> lock(std::int64_t id, std::int64_t deployment, std::int64_t at_least = 0);
  /// Fine when it does not hold it.
  void unlock(std::int64_t id, std::int64_t deployment);
  void set_current(std::int64_t id, std::int64_t deployment);

 private:
  Tx& tx_;
};

/// Each new one, and each change of a state, is also a record of audit_table.h.
class Deployments {
 public:
  explicit Deployments(Tx& tx) noexcept : tx_(tx) {}
  /// The id and the number are given here, and returned in the record.
  DeploymentRecord insert(DeploymentRecord record);
  std::optional<DeploymentRecord> find(std::int64_t id);
  std::optional<DeploymentRecord> find(std::int64_t pipeline, const std::string& job);
  /// Newest first, those before the number `before`; 0 begins.
  std::vector<DeploymentRecord> of_environment(std::int64_t environment, std::int64_t before = 0,
                                               std::size_t limit = kMaxPage);
  /// By number, those in one of the states.
  std::vector<DeploymentRecord> in_states(std::int64_t environment, const std::vector<std::string>& states);
  /// Of all environments, by id.
  std::vector<DeploymentRecord> in_states(const std::vector<std::string>& states);
  /// All that may change of a deployment; its version goes up by one. False when record.version is no longer
  /// current: somebody else changed it.
  bool replace(DeploymentRecord& record);
  /// A person's wish, for who carries the deployment out. False when it is not in one of the states.
  bool set_request(std::int64_t id, const std::string& request, const std::vector<std::string>& states);

 private:
  Tx& tx_;
};

class DeploymentSteps {
 public:
  explicit DeploymentSteps(Tx& tx) noexcept : tx_(tx) {}
  /// Begun; once more when it was before, with one more attempt.
  void begin(const StepRecord& step);
  /// Completes it. False when it was not begun under this fence.
  bool complete(const StepRecord& step);
  /// By part, n, unit and slot.
  std::vector<StepRecord> of(std::int64_t deployment);

 private:
  Tx& tx_;
};

class Approvals {
 public:
  explicit Approvals(Tx& tx) noexcept : tx_(tx) {}
  /// In place of what the person said before.
  void put(const ApprovalRecord& approval);
  /// In order of time.
  std::vector<ApprovalRecord> of(std::int64_t deployment);

 private:
  Tx& tx_;
};

}  // namespace runner::storage
