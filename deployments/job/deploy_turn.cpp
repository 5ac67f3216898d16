#include "deployments/job/deploy_turn.h"

#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>

#include "deployments/gate.h"
#include "deployments/journal.h"
#include "deployments/pause.h"
#include "deployments/record.h"
#include "runner/base/digest.h"
#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/text.h"

namespace runner::deployments {
namespace {

using storage::DeploymentRecord;
using storage::Deployments;
using storage::Environments;
using storage::Tx;

constexpr std::size_t kPlaceDigits = 32;
constexpr std::chrono::milliseconds kBetweenTries{50};

std::string named(const DeployRequest& request) {
  return in_quotes(request.environment) + " of " + in_quotes(request.project);
}

}  // namespace

std::filesystem::path place_of(const DeployRequest& request) {
  return request.places / sha256_hex(request.project + '\0' + request.environment).substr(0, kPlaceDigits);
}

UniqueFd take_place(const std::filesystem::path& place, std::chrono::milliseconds patience,
                    const std::stop_token& stop) {
  make_directories(place, 0700);
  const std::filesystem::path file = place / "lock";
  UniqueFd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) throw_errno("cannot open " + in_quotes(file.native()));
  for (const auto end = std::chrono::steady_clock::now() + patience;;) {
    if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
    if (errno != EWOULDBLOCK && errno != EINTR) throw_errno("cannot lock " + in_quotes(file.native()));
    if (std::chrono::steady_clock::now() >= end)
      throw Error(ErrorCode::conflict, "another process of this machine deploys there now; try again later");
    pause_for(kBetweenTries, stop);
  }
}

DeploymentRecord DeployTurn::now(std::int64_t deployment) const {
  std::optional<DeploymentRecord> record;
  store_.read([&](Tx& tx) { record = Deployments(tx).find(deployment); });
  if (!record)
    throw Error(ErrorCode::not_found, "deployment " + std::to_string(deployment) + " is not in the database");
  return *record;
}

DeploymentRecord DeployTurn::begin(const Release& release) {
  return request_.gated ? begin_gated() : begin_alone(release);
}

DeploymentRecord DeployTurn::begin_gated() {
  std::optional<DeploymentRecord> found;
  store_.read([&](Tx& tx) { found = Deployments(tx).find(request_.pipeline.value_or(0), request_.job); });
  if (!found || !is_effectful(state_of(*found)))
    throw Error(ErrorCode::conflict,
                "nothing is to be deployed to " + named(request_) + " by this job" +
                    (found ? ": deployment " + std::to_string(found->number) + " " + found->state : ""));
  return *found;
}

// Nobody else works there: the place is ours. What is effectful was left by a process that died.
DeploymentRecord DeployTurn::begin_alone(const Release& release) {
  std::optional<DeploymentRecord> left;
  store_.read([&](Tx& tx) {
    left.reset();
    const auto environment = Environments(tx).find(request_.project, request_.environment);
    if (environment && environment->holder) left = Deployments(tx).find(*environment->holder);
  });
  if (left && is_effectful(state_of(*left)) && left->release == release.id && left->job == request_.job)
    return *left;
  if (left && !is_end(state_of(*left)))
    lose(left->id, "its process died, and another deployment has taken over");
  NewDeployment wanted;
  wanted.project = request_.project;
  wanted.environment = request_.environment;
  wanted.job = request_.job;
  wanted.ref = request_.ref;
  wanted.sha = request_.sha;
  wanted.triggered_by = request_.user;
  wanted.release = release.id;
  Gate gate(store_, clock_, [](const std::string&) { return std::optional<Person>(); });
  const DeploymentRecord added = gate.add(wanted);
  const auto locked = gate.advance(added.environment);
  if (!locked || locked->id != added.id)
    throw Error(ErrorCode::conflict, "deployment " + std::to_string(added.number) + " to " + named(request_) +
                                         " cannot begin: " + now(added.id).reason);
  return *locked;
}

DeploymentRecord DeployTurn::take_fence(std::int64_t deployment, std::uint64_t at_least) {
  DeploymentRecord record;
  store_.write([&](Tx& tx) {
    record = Deployments(tx).find(deployment).value();
    const auto fence =
        Environments(tx).lock(record.environment, record.id, static_cast<std::int64_t>(at_least));
    if (!fence) throw Error(ErrorCode::conflict, "another deployment has " + named(request_) + " by now");
    record.fence = *fence;
    if (!Deployments(tx).replace(record))
      throw Error(ErrorCode::internal, "a deployment was changed within its own transaction");
  });
  return record;
}

std::vector<std::string> DeployTurn::history(std::int64_t environment, std::size_t limit) const {
  std::vector<std::string> releases;
  store_.read([&](Tx& tx) {
    releases.clear();
    for (const DeploymentRecord& one : Deployments(tx).of_environment(environment)) {
      if (releases.size() == limit) break;
      if (one.state == to_string(State::succeeded) &&
          std::find(releases.begin(), releases.end(), one.release) == releases.end())
        releases.push_back(one.release);
    }
  });
  return releases;
}

void DeployTurn::lose(std::int64_t deployment, const std::string& why) {
  Journal journal(store_, clock_, take_fence(deployment).id, {});
  if (may_follow(journal.state(), State::failed)) return journal.go(State::failed, why);
  if (journal.state() == State::finalizing) return journal.go(State::succeeded, why);
  if (journal.state() != State::rollback_failed) {
    if (journal.state() != State::rolling_back) journal.go(State::rolling_back, why);
    journal.go(State::rollback_failed, why);
  }
  if (!request_.gated) journal.go(State::resolved, why);
}

}  // namespace runner::deployments
