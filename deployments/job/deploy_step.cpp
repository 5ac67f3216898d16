// The process of a job that deploys.
#include <unistd.h>

#include <cstdio>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>

#include "deployments/driver.h"
#include "deployments/job/deploy_image.h"
#include "deployments/job/deploy_parts.h"
#include "deployments/job/deploy_release.h"
#include "deployments/job/deploy_request.h"
#include "deployments/job/deploy_turn.h"
#include "deployments/network_prober.h"
#include "pipelines/deploy_block.h"
#include "pipelines/variables.h"
#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/signal_stop.h"
#include "runner/base/text.h"

extern char** environ;  // NOLINT(readability-redundant-declaration): not every libc has it in unistd.h

namespace runner::deployments {
namespace {

namespace fs = std::filesystem;
using pipelines::DeploySpec;
using storage::DeploymentRecord;

// For a process of an attempt before this one, which is about to end.
constexpr std::chrono::seconds kPlacePatience{30};

struct StepEnd {
  DeployExit exit = DeployExit::machinery;
  std::string why;
};

std::map<std::string, std::string> own_environment() {
  std::map<std::string, std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    if (const std::size_t at = text.find('='); at != std::string_view::npos)
      all.emplace(text.substr(0, at), text.substr(at + 1));
  }
  return all;
}

/// Whole lines, as threads of several units tell at once.
class Log {
 public:
  void line(const std::string& unit, std::string_view text) {
    const std::lock_guard guard(lock_);
    std::string all = unit.empty() ? std::string(text) : "[" + unit + "] " + std::string(text);
    all += '\n';
    try {
      write_all(STDOUT_FILENO, all);
    } catch (const Error&) {
      // Nobody reads the log any more: no reason to leave things half done.
    }
  }

 private:
  std::mutex lock_;
};

DeploySpec spec_of(const DeployRequest& request) {
  DeploySpec spec = pipelines::parse_deploy_block(request.block);
  pipelines::VariableSet set;
  for (const auto& [name, value] : request.variables) {
    pipelines::Variable variable;
    variable.name = name;
    variable.value = value;
    variable.raw = true;  // expanded already
    set.add(std::move(variable));
  }
  pipelines::expand_deploy_texts(
      spec, [&](std::string_view text) { return set.expand(text, pipelines::Undefined::empty); });
  return spec;
}

/// For commands on hosts: what the job has, but not what lets us in there.
std::map<std::string, std::string> for_commands(const DeployRequest& request) {
  std::map<std::string, std::string> env = request.variables;
  for (const auto& [name, value] : request.secrets) env.erase(name);
  return env;
}

class DeployStep {
 public:
  DeployStep(const DeployRequest& request, fs::path dir, std::stop_token abort)
      : request_(request),
        dir_(std::move(dir)),
        abort_(std::move(abort)),
        tell_([this](const std::string& unit, std::string_view line) { log_.line(unit, line); }),
        spec_(spec_of(request)) {}

  StepEnd run() {
    const UniqueFd place = take_place(place_of(request_), kPlacePatience, abort_);
    const auto store = storage::open_file_store(request_.database, clock_);
    DeployTurn turn(*store, clock_, request_);
    Release release;
    std::string no_release;
    std::optional<DeploymentRecord> gated;
    if (request_.gated) gated = turn.begin({});
    try {
      release = release_of_workspace(gated ? image_of_plan(gated->plan) : "");
    } catch (const Error& error) {
      // Of one that goes on: all but bringing it there needs no more than its name.
      if (!request_.gated) throw;
      no_release = error.what();
    }
    DeploymentRecord record = gated ? *gated : turn.begin(release);
    const bool fresh = parse_state(record.state) == State::locked;
    if (fresh && !no_release.empty()) {
      turn.lose(record.id, no_release);
      return {DeployExit::invalid, no_release};
    }
    if (fresh) {
      write_release(*store, record.id, release);
    } else if (release.id != record.release) {
      tell_("",
            (no_release.empty() ? "the workspace has another release than what is under way" : no_release) +
                "; what is under way is finished by what the target has of it");
      release = {};
      release.id = record.release;
    }
    record = turn.take_fence(record.id);
    tell_("", "Deployment " + std::to_string(record.number) + " to '" + request_.environment + "', release " +
                  release.id);
    const DeployParts parts =
        make_parts(spec_, {request_.workspace, place_of(request_), request_.secrets, request_.project,
                           request_.environment, request_.variables, own_environment(), tell_});
    carry_out(*store, turn, record, release, parts);
    return verdict_of(turn.now(record.id));
  }

 private:
  /// `image`: what it was resolved to before; "": it is resolved now.
  Release release_of_workspace(const std::string& image) const {
    pipelines::ReleaseSource source = spec_.release;
    if (spec_.compose) {
      source.config = {spec_.compose->file};
      source.image =
          !image.empty()
              ? image
              : pinned_image(source.image, {spec_.compose->host, own_environment(), request_.variables},
                             tell_, abort_);
    }
    return make_release(source, {request_.workspace, dir_ / "rendered", request_.variables, request_.sha});
  }

  void write_release(storage::Store& store, std::int64_t deployment, const Release& release) const {
    store.write([&](storage::Tx& tx) {
      DeploymentRecord record = storage::Deployments(tx).find(deployment).value();
      nlohmann::json plan = nlohmann::json::parse(record.plan, nullptr, false);
      if (!plan.is_object()) plan = nlohmann::json::object();
      plan["target"] = to_string(spec_.target);
      plan["strategy"] = to_string(spec_.strategy.type);
      plan.erase("hosts");  // one that is put back has what was known of it
      if (spec_.ssh)
        for (const pipelines::DeployHost& host : spec_.ssh->hosts) plan["hosts"].push_back(host.address);
      if (!release.image.empty()) plan["image"] = release.image;
      if (release.artifact)
        plan["artifact"] = {{"path", spec_.release.artifact}, {"sha256", release.artifact->sha256}};
      record.plan = plan.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
      record.release = release.id;
      if (!storage::Deployments(tx).replace(record))
        throw Error(ErrorCode::internal, "a deployment was changed within its own transaction");
    });
  }

  void carry_out(storage::Store& store, DeployTurn& turn, DeploymentRecord record, const Release& release,
                 const DeployParts& parts) {
    DeployOrder order;
    order.spec = spec_;
    order.release = release;
    order.environment = request_.project + "/" + request_.environment;
    order.env = for_commands(request_);
    const std::size_t keep =
        spec_.ssh ? static_cast<std::size_t>(std::max(spec_.ssh->keep_releases, 2)) : std::size_t{5};
    order.keep_releases = turn.history(record.environment, keep);
    NetworkProber prober(request_.workspace);
    const DriverParts with{*parts.target, parts.balancer.get(), prober, store, clock_, tell_, {}};
    if (drive(record.id, order, with, abort_) == DriveEnd::ended) return;
    DeploymentRecord after = turn.now(record.id);
    if (after.fence != record.fence) return;  // a process of ours goes on with it
    if (parse_state(after.state) != State::locked) {
      turn.lose(record.id, "somebody with a higher fence has taken the target in the middle of it");
      return;
    }
    // The first contact: the target has seen more than our database knows, which may be a restored one.
    std::uint64_t seen = 0;
    for (const std::string& unit : parts.target->units())
      seen = std::max(seen, parts.target->seen_token(unit, abort_));
    tell_("", "the target has seen fence " + std::to_string(seen) + "; taking one above it");
    record = turn.take_fence(record.id, seen);
    if (drive(record.id, order, with, abort_) == DriveEnd::lost && turn.now(record.id).fence == record.fence)
      turn.lose(record.id, "somebody with a higher fence has taken the target");
  }

  static StepEnd verdict_of(const DeploymentRecord& record) {
    const auto state = parse_state(record.state);
    const std::string named = "deployment " + std::to_string(record.number) + " ";
    const std::string why = record.reason.empty() ? "" : ": " + record.reason;
    switch (state.value_or(State::planned)) {
      case State::succeeded:
        return {DeployExit::done, {}};
      case State::failed:
        return {DeployExit::failed, named + "failed, and nothing that runs was changed" + why};
      case State::rolled_back:
        return {DeployExit::rolled_back, named + "was rolled back" + why};
      case State::rollback_failed:
      case State::resolved:
        return {DeployExit::rollback_failed, named + "could not be rolled back; `runner deploy status " +
                                                 std::to_string(record.id) + "` says what is where" + why};
      default:
        return {DeployExit::machinery,
                named + "is " + record.state + ", and another process goes on with it"};
    }
  }

  const DeployRequest& request_;
  const fs::path dir_;
  const std::stop_token abort_;
  SystemClock clock_;
  Log log_;
  const TellLine tell_;
  const DeploySpec spec_;
};

DeployExit exit_for(const Error& error) {
  switch (error.code()) {
    case ErrorCode::invalid_input:
    case ErrorCode::not_found:
      return DeployExit::invalid;
    case ErrorCode::conflict:
      return DeployExit::busy;
    default:
      return DeployExit::machinery;
  }
}

StepEnd run(const fs::path& dir, const std::stop_token& abort) {
  try {
    const DeployRequest request = take_deploy_request(dir);
    return DeployStep(request, dir, abort).run();
  } catch (const Error& error) {
    return {exit_for(error), error.what()};
  } catch (const std::exception& error) {
    return {DeployExit::machinery, error.what()};
  }
}

}  // namespace

int deploy_step_main(const char* dir) {
  const SignalStop stop;
  const StepEnd verdict = run(dir, stop.token());
  if (verdict.exit == DeployExit::done) return 0;
  try {
    write_deploy_verdict(dir, verdict.why);
    Log().line("", "ERROR: " + to_utf8(verdict.why));
  } catch (const std::exception&) {
    // The disk is full: the code says it all the same.
  }
  return static_cast<int>(verdict.exit);
}

}  // namespace runner::deployments
