#pragma once
// What a deployment wrote down of itself: before each effect that it is about to be, after it what came of
// it. Whoever comes after a crash reads it and goes on. Every write proves that the deployment still has its
// fence: a process that was given up on changes nothing any more, here as on the targets.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "deployments/state.h"
#include "deployments/strategy.h"
#include "runner/base/clock.h"
#include "runner/base/error.h"
#include "runner/storage/deployment_table.h"

namespace runner::deployments {

/// The stretches of a deployment. Numbers of phases begin anew in each.
enum class Part : std::uint8_t { prepare, migrate, forward, verify, retire, rollback };
std::string_view to_string(Part part) noexcept;

/// Somebody else goes on with this deployment. Nothing more may be done here.
class LostFence : public std::exception {
 public:
  const char* what() const noexcept override { return "another process goes on with this deployment"; }
};

/// The store cannot be read or written: no fault of the deployment, which another drive() takes further.
class JournalFailed : public Error {
 public:
  explicit JournalFailed(const Error& error) : Error(error) { add_context("while writing the journal"); }
};

/// Called in each transaction that changes a deployment, before it ends: for audit and notices. May be
/// repeated. What it throws undoes the change.
using OnChange = std::function<void(storage::Tx& tx, const storage::DeploymentRecord& deployment)>;

/// Of one deployment, in one process. Blocks on the store. One thread at a time. Throws JournalFailed and
/// LostFence.
class Journal {
 public:
  /// The deployment has its fence: record.fence.
  Journal(storage::Store& store, const Clock& clock, std::int64_t deployment, OnChange on_change);

  const storage::DeploymentRecord& record() const noexcept { return record_; }
  State state() const noexcept { return state_; }
  /// `reason`: of this state, for people. Throws Error{internal} for what may not follow. The end gives the
  /// environment back, except rollback_failed; `succeeded` makes it what runs there. A request that was
  /// followed goes.
  void go(State next, std::string_view reason = {});
  /// Together with the state that follows from it, in one transaction.
  void go_with_snapshot(State next, const Snapshot& snapshot);
  std::optional<Snapshot> snapshot() const;

  /// What a person asks for, as of now; "" = nothing. Reads.
  std::string request();
  /// It was followed, or cannot be.
  void forget_request();

  void begin(Part part, std::size_t n, std::string_view action, const std::vector<Place>& places);
  /// `message` for people; the same for all places.
  void complete(Part part, std::size_t n, const std::vector<Place>& places, bool done,
                std::string_view message = {});
  /// Every place of the phase has been done.
  bool is_done(Part part, std::size_t n, const std::vector<Place>& places) const;
  /// Begun at least once.
  bool was_begun(Part part, std::size_t n) const;
  /// Units of the part in which something was begun.
  std::set<std::string> touched(Part part) const;

 private:
  using Key = std::pair<std::string, std::int64_t>;
  void change(const std::function<void(storage::Tx& tx)>& body);
  void refresh(storage::Tx& tx);
  void write(storage::Tx& tx);

  storage::Store& store_;
  const Clock& clock_;
  OnChange on_change_;
  storage::DeploymentRecord record_;
  State state_ = State::planned;
  struct Known {
    std::set<Place> begun, done;
  };
  std::map<Key, Known> steps_;
};

/// As JSON, for the record.
std::string snapshot_text(const Snapshot& snapshot);
/// Throws Error{corrupt}.
Snapshot parse_snapshot(std::string_view text);

}  // namespace runner::deployments
