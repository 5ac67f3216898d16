#pragma once
// Lets deployments to an environment begin: one at a time, in their order, once the right people agreed and
// nothing is frozen. All that it decides is in the store; whoever asks after a restart gets the same answer.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "deployments/approvals.h"
#include "deployments/journal.h"
#include "deployments/protection.h"
#include "deployments/record.h"
#include "deployments/state.h"
#include "runner/storage/deployment_table.h"
#include "runner/storage/store.h"

namespace runner::deployments {

/// What somebody wants to be deployed.
struct NewDeployment {
  std::string project, environment;
  std::string kind = "deploy";  // deploy, rollback, job
  std::optional<std::int64_t> pipeline;
  std::string job, ref, sha, triggered_by;
  std::string release;                   // its id
  std::string plan;                      // a JSON object, as people are shown it
  std::set<std::string> commit_authors;  // of what is new
  std::vector<std::string> fingerprint;  // the parts of what is agreed to, besides release and base
};

/// Where a deployment that waits stands.
struct GateView {
  storage::DeploymentRecord deployment;
  ApprovalStanding approvals;
  std::optional<TimePoint> opens_at;  // of what is frozen, or waits
  std::string why;                    // one line for people
};

/// How a request of a person was taken. Not permitted and not possible are told apart: 403 and 409.
struct GateAnswer {
  enum class Kind : std::uint8_t { done, not_found, not_permitted, not_possible } kind = Kind::done;
  std::string why;
};

/// Any thread. Blocks on the store. Throws Error when that fails.
class Gate {
 public:
  /// References outlive it. `look_up` is called within transactions and must not use the store.
  Gate(storage::Store& store, const Clock& clock, LookUp look_up, OnChange on_change = {});

  /// Waits from now on; or `failed` with the reason when its ref or whoever triggered it may never deploy
  /// there. advance() is the caller's to call.
  storage::DeploymentRecord add(const NewDeployment& wanted);
  /// Looks at all that waits in the environment, and locks it for the one whose turn it is. Returns that one:
  /// it is to be carried out. Call it after everything that may change the answer: add(), decisions, the end
  /// of a deployment, a change of the protection, next_wake().
  std::optional<storage::DeploymentRecord> advance(std::int64_t environment);
  /// When advance() may have another answer because of the time alone; nullopt: never.
  std::optional<TimePoint> next_wake(std::int64_t environment) const;

  std::optional<GateView> view(std::int64_t deployment) const;
  /// `method`: how the person showed who they are. The last approval lets it begin with the next advance().
  GateAnswer approve(std::int64_t deployment, const Person& person, const std::string& comment,
                     const std::string& method);
  GateAnswer reject(std::int64_t deployment, const Person& person, const std::string& comment,
                    const std::string& method);
  /// Past approvals and freezes, with a reason that stays with it for ever.
  GateAnswer break_glass(std::int64_t deployment, const Person& person, const std::string& reason);
  /// Of one that waits for a person to start it.
  GateAnswer start(std::int64_t deployment, const Person& person);
  /// Of one that has not begun.
  GateAnswer cancel(std::int64_t deployment, const Person& person);
  // Of one that has begun.
  /// "pause", "resume", "promote" or "abort": whoever carries it out follows it when it can.
  GateAnswer ask(std::int64_t deployment, const Person& person, const std::string& request);
  /// A person has seen to what a failed rollback left: the environment is free again.
  GateAnswer resolve(std::int64_t deployment, const Person& person, const std::string& comment);
  /// Takes the environment away from whoever has it, by a newer fence: what that process still does is
  /// refused. What it had begun is nobody's any more. `deployment` becomes the one that had it.
  GateAnswer unlock(std::int64_t environment, const Person& person, const std::string& reason,
                    std::int64_t& deployment);
  /// Back to what an earlier deployment put there: number `to` of the environment; 0: the last one that
  /// succeeded before what runs now, of another release. Its job is to run once more, and the gate lets it
  /// pass before all that waits. `made` becomes the new deployment.
  GateAnswer roll_back(std::int64_t environment, std::int64_t to, const Person& person,
                       storage::DeploymentRecord& made);

  /// What it would deploy is other than what its plan said: who approved agreed to something else, and those
  /// approvals are void. `plan` takes the place of the plan, `parts` tell the two apart. Fine when it waits
  /// no more.
  void revise(std::int64_t deployment, const std::string& plan, const std::vector<std::string>& parts);
  /// Its job will not come any more: canceled, if it has not begun. Fine when it has ended.
  void give_up(std::int64_t deployment, const std::string& why);

  /// Of one whose job carries it out by commands of its own, without a journal: the job has ended. Gives the
  /// environment back. Fine when that is known already.
  void finish(std::int64_t deployment, bool succeeded, const std::string& why);

 private:
  struct Turn {
    State state = State::queued;
    std::string why;
    std::optional<TimePoint> wake;   // the answer may be another one then
    std::optional<TimePoint> opens;  // of what is frozen, or waits
    ApprovalStanding approvals;
  };
  /// Who somebody is there.
  LookUp who_in(const storage::EnvironmentRecord& environment) const;
  storage::DeploymentRecord insert(storage::Tx& tx, const storage::EnvironmentRecord& environment,
                                   const NewDeployment& wanted) const;
  Turn turn_of(storage::Tx& tx, const Protection& protection, const storage::DeploymentRecord& deployment,
               const storage::DeploymentRecord& newest_done) const;
  void move(storage::Tx& tx, storage::DeploymentRecord& deployment, State next, const std::string& why) const;
  GateAnswer decide(std::int64_t deployment, const Person& person, const std::string& decision,
                    const std::string& comment, const std::string& method);
  GateAnswer change(std::int64_t deployment,
                    const std::function<GateAnswer(storage::Tx& tx, storage::DeploymentRecord& deployment,
                                                   const Protection& protection)>& body);

  storage::Store& store_;
  const Clock& clock_;
  LookUp look_up_;
  OnChange on_change_;
};

/// What people are asked to agree to, of a deployment as it is stored.
Candidate candidate_of(const storage::DeploymentRecord& deployment);

}  // namespace runner::deployments
