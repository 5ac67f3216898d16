#include "runner/daemon/process_jobs.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "executors/channel.h"
#include "executors/containers/container_executor.h"
#include "executors/shell_executor.h"
#include "runner/base/error.h"
#include "runner/base/failpoint.h"
#include "runner/base/files.h"
#include "runner/base/log.h"
#include "runner/base/text.h"
#include "runner/daemon/container_work.h"
#include "runner/daemon/job_place.h"
#include "runner/engine/local_jobs.h"
#include "runner/engine/order_text.h"

namespace runner::daemon {
namespace {

namespace fs = std::filesystem;
using engine::Archives;
using engine::JobOrder;
using engine::JobOutcome;

// A process that was forked listens within a few milliseconds; one that is ending gives its lock back.
constexpr std::chrono::milliseconds kBetweenLooks{5};
// For processes of a step whose job's process was killed to be ended.
constexpr std::chrono::seconds kEndDeadline{10};
// A process that ends again and again before it could begin: the machinery is at fault, and it says so.
constexpr int kMostStarts = 3;
// For a store that is away, before a job fails for the lack of its variables.
constexpr std::chrono::seconds kStorePatience{60};
constexpr std::chrono::milliseconds kBetweenReads{200};

JobOutcome failed(std::string why) {
  JobOutcome outcome;
  outcome.result = {
      engine::RunResult::Kind::failed, pipelines::FailureReason::runner_system_failure, {}, std::move(why)};
  return outcome;
}

}  // namespace

/// To the process of an attempt.
struct ProcessJobs::Connection {
  explicit Connection(UniqueFd channel) : socket(std::move(channel)) {}
  const UniqueFd socket;
};

ProcessJobs::ProcessJobs(ProcessJobsOptions options, const executors::Launcher& launcher,
                         cache::LayerStore& layers, std::function<void()> on_commit)
    : options_(std::move(options)),
      launcher_(launcher),
      layers_(layers),
      on_commit_(std::move(on_commit)),
      root_(options_.engine.data_dir / "jobs") {
  make_directories(root_, 0700);
}

ProcessJobs::~ProcessJobs() = default;

engine::FindEntry ProcessJobs::finder() const {
  return [this](const cache::EntryName& name, std::string& why) { return layers_.find(name, &why); };
}

// ---- connections

ProcessJobs::Shared ProcessJobs::remember(std::int64_t attempt, UniqueFd socket) {
  auto connection = std::make_shared<Connection>(std::move(socket));
  const std::lock_guard lock(mutex_);
  if (released_) ::shutdown(connection->socket.get(), SHUT_RDWR);
  connections_[attempt] = connection;
  return connection;
}

ProcessJobs::Shared ProcessJobs::known(std::int64_t attempt) {
  const std::lock_guard lock(mutex_);
  const auto found = connections_.find(attempt);
  return found == connections_.end() ? nullptr : found->second;
}

void ProcessJobs::forget(std::int64_t attempt) {
  const std::lock_guard lock(mutex_);
  connections_.erase(attempt);
}

void ProcessJobs::release() noexcept {
  const std::lock_guard lock(mutex_);
  released_ = true;
  for (const auto& [attempt, connection] : connections_) ::shutdown(connection->socket.get(), SHUT_RDWR);
}

/// nullptr when no process lives. One that was forked a moment ago does not listen yet.
ProcessJobs::Shared ProcessJobs::wait_for_connection(std::int64_t attempt) {
  for (;;) {
    if (UniqueFd socket = connect_to(place_of(attempt))) return remember(attempt, std::move(socket));
    if (try_lock_place(place_of(attempt))) return nullptr;
    {
      const std::lock_guard lock(mutex_);
      if (released_) return nullptr;
    }
    std::this_thread::sleep_for(kBetweenLooks);
  }
}

// ---- an attempt

void ProcessJobs::run(const JobOrder& order, engine::StopControl& control, const OnEnd& on_end) noexcept {
  JobOutcome outcome;
  try {
    outcome = run_or_throw(order, control);
  } catch (const std::exception& error) {
    outcome = failed(error.what());
  }
  on_end(std::move(outcome));
}

JobOutcome ProcessJobs::run_or_throw(const JobOrder& order, engine::StopControl& control) {
  const std::int64_t attempt = order.state.id;
  for (int starts = 0;;) {
    bool ended = false;
    Shared connection = reach(order, ended);
    if (ended) break;
    if (connection == nullptr) {
      if (++starts > kMostStarts) {
        return failed("the process of the job ended " + std::to_string(kMostStarts) +
                      " times before it could begin; the log of the daemon says why");
      }
      clear(attempt);
      make_directories(place_of(attempt), 0700);
      UniqueFd lock = try_lock_place(place_of(attempt));
      if (!lock) continue;  // cannot be: nobody else starts this attempt
      connection = spawn(order, control, std::move(lock));
    }
    control.pass_on([connection](engine::StopCause cause) {
      send_signal(connection->socket.get(),
                  cause == engine::StopCause::kill ? JobSignal::kill : JobSignal::cancel);
    });
    bool has_outcome = false;
    while (const auto signal = receive_signal(connection->socket.get())) {
      if (*signal == JobSignal::outcome) has_outcome = true;
      if (has_outcome) break;
    }
    control.pass_on({});
    if (has_outcome) break;
    {
      const std::lock_guard lock(mutex_);
      if (released_) return failed("the daemon has ended");
    }
    // The process is gone: look at what it left.
    forget(attempt);
  }
  JobOutcome outcome = read_outcome(attempt);
  if (on_commit_) on_commit_();
  return outcome;
}

/// The process of the attempt; nullptr when it is to be started. `ended`: there is an outcome, of one kind or
/// another.
ProcessJobs::Shared ProcessJobs::reach(const JobOrder& order, bool& ended) {
  const std::int64_t attempt = order.state.id;
  if (fs::exists(place_of(attempt))) {
    if (Shared connection = wait_for_connection(attempt)) return connection;
    if (fs::exists(place_of(attempt) / job_file::kOutcome)) {
      ended = true;
      return nullptr;
    }
  }
  if (lost_with_machine(attempt) || fs::exists(place_of(attempt) / job_file::kStarted)) {
    end_leftovers(attempt);
    ended = true;
  }
  return nullptr;
}

JobOutcome ProcessJobs::read_outcome(std::int64_t attempt) const {
  const auto text = read_file(place_of(attempt) / job_file::kOutcome);
  if (!text) {
    return failed(lost_with_machine(attempt) ? "the machine went down while the job ran"
                                             : "the process of the job was killed");
  }
  try {
    return engine::thaw_outcome(*text, finder());
  } catch (const Error&) {
    if (lost_with_machine(attempt)) return failed("the machine went down while the job ended");
    throw;
  }
}

std::vector<pipelines::Variable> ProcessJobs::late_variables(const JobOrder& order,
                                                             const engine::StopControl& control) {
  if (!options_.variables) return {};
  const auto end = std::chrono::steady_clock::now() + kStorePatience;
  for (;;) {
    try {
      return options_.variables(order);
    } catch (const Error& error) {
      if (error.code() != ErrorCode::unavailable || std::chrono::steady_clock::now() > end) throw;
      const std::lock_guard lock(mutex_);
      if (released_ || control.token().stop_requested()) throw;
    }
    std::this_thread::sleep_for(kBetweenReads);
  }
}

ProcessJobs::Shared ProcessJobs::spawn(const JobOrder& order, const engine::StopControl& control,
                                       UniqueFd lock) {
  const std::int64_t attempt = order.state.id;
  const fs::path place = place_of(attempt);
  JobOrder sent = order;
  sent.work_dir = place / job_file::kWork;
  std::optional<engine::PipelineRequest> renewed;
  const BaseEnvironment* environment = options_.base_environment;
  const bool outdated = environment != nullptr && environment->is_outdated(order.request->base_environment);
  const std::vector<pipelines::Variable> more = late_variables(order, control);
  if (outdated || !more.empty()) {
    renewed = *order.request;
    sent.request = &*renewed;
  }
  if (outdated) renewed->base_environment = environment->get();
  if (!more.empty()) {
    auto& variables = renewed->plan.jobs[order.state.plan_index].variables;
    // Last: of one rank the later one counts.
    variables.insert(variables.end(), more.begin(), more.end());
  }
  write_file_atomic(place / job_file::kOrder, engine::freeze(sent, options_.engine, options_.mount_mode),
                    0600, false);
  failpoint("jobs.ordered");
  const UniqueFd directory(::open(place.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory) throw_errno("cannot open " + in_quotes(place.native()));
  auto [ours, theirs] = executors::make_channel();
  const int passed[] = {directory.get(), lock.get(), theirs.get()};
  launcher_.fork_main(passed);
  failpoint("jobs.spawned");
  return remember(attempt, std::move(ours));
}

// ---- what it leaves

Archives ProcessJobs::archive(const engine::ArchiveOrder& order, const engine::Collected& collected,
                              const std::function<bool()>& stop) noexcept {
  Archives lost;
  try {
    const fs::path file = place_of(order.attempt) / job_file::kArchives;
    Shared connection = known(order.attempt);
    if (connection == nullptr && fs::exists(place_of(order.attempt)))
      connection = wait_for_connection(order.attempt);
    while (connection != nullptr && !fs::exists(file)) {
      if (!receive_signal(connection->socket.get())) break;
    }
    if (const auto text = read_file(file)) return engine::thaw_archives(*text);
    const std::lock_guard lock(mutex_);
    if (released_) return lost;
    lost.error =
        lost_with_machine(order.attempt) ? "the machine went down" : "the process that wrote it was killed";
  } catch (const std::exception& error) {
    lost.error = error.what();
  }
  // Of the reports nothing is left, of the artifacts their layer.
  return collected.layer ? engine::write_archives(order, collected, stop) : lost;
}

void ProcessJobs::settle(std::int64_t attempt) noexcept {
  try {
    failpoint("jobs.settling");
    if (const Shared connection = known(attempt);
        connection != nullptr && send_signal(connection->socket.get(), JobSignal::settle)) {
      forget(attempt);
      return;
    }
    forget(attempt);
    const fs::path place = place_of(attempt);
    if (!fs::exists(place)) return;
    if (const UniqueFd socket = connect_to(place)) {
      if (send_signal(socket.get(), JobSignal::settle)) return;
    }
    if (const UniqueFd lock = try_lock_place(place)) {
      end_leftovers(attempt);
      clear(attempt);
    }
  } catch (const std::exception& error) {
    log_error("jobs", "cannot remove what attempt " + std::to_string(attempt) + " left: " + error.what());
  }
}

void ProcessJobs::take_over(std::set<std::int64_t> wanted) {
  earlier_ = std::move(wanted);
  std::vector<std::int64_t> others;
  for (const auto& entry : fs::directory_iterator(root_)) {
    const auto attempt = parse_integer(entry.path().filename().native());
    if (attempt && !earlier_.contains(*attempt)) others.push_back(*attempt);
  }
  for (const std::int64_t attempt : others) settle(attempt);
}

/// The supervisors of a killed process end what they look after; what they left, or still do, is ended here.
void ProcessJobs::end_leftovers(std::int64_t attempt) const {
  const fs::path work = place_of(attempt) / job_file::kWork;
  if (!fs::exists(work)) return;
  const executors::SandboxId id{engine::sandbox_name(work)};
  executors::ShellExecutor executor(launcher_, executors::StepLife::with_runner);
  executor.destroy(id, work, std::chrono::steady_clock::now() + kEndDeadline);
  const engine::ContainerSettings& settings = options_.engine.containers;
  if (settings.socket.empty()) return;
  executors::ContainerExecutor containers(launcher_, container_options(settings),
                                          executors::StepLife::with_runner);
  containers.destroy(id, work, std::chrono::steady_clock::now() + kEndDeadline);
}

void ProcessJobs::clear(std::int64_t attempt) const {
  const fs::path place = place_of(attempt);
  if (const auto messages = read_file(place / job_file::kMessages); messages && !messages->empty()) {
    for (const std::string_view line : split(*messages, '\n')) {
      if (!line.empty()) log_warn("jobs", "attempt " + std::to_string(attempt) + ": " + std::string(line));
    }
  }
  remove_tree(place);
}

}  // namespace runner::daemon
