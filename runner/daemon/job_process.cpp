#include "runner/daemon/job_process.h"

#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <optional>
#include <thread>

#include "cache/caches.h"
#include "cache/workspace.h"
#include "executors/containers/container_executor.h"
#include "executors/containers/owner.h"
#include "executors/launcher.h"
#include "executors/shell_executor.h"
#include "runner/base/digest.h"
#include "runner/base/error.h"
#include "runner/base/failpoint.h"
#include "runner/base/files.h"
#include "runner/base/log.h"
#include "runner/base/text.h"
#include "runner/daemon/container_work.h"
#include "runner/daemon/job_place.h"
#include "runner/database/sqlite.h"
#include "runner/engine/local_jobs.h"
#include "runner/engine/order_text.h"
#include "runner/engine/stop_control.h"
#include "runner/git/warm_up.h"

namespace runner::daemon {
namespace {

namespace fs = std::filesystem;

// So that what jobs leave is packed while others run, and not instead.
constexpr int kArchiveNiceness = 10;
// Between tries to write what came out on a disk that is full.
constexpr std::chrono::milliseconds kFirstWait{100}, kLongestWait{2'000};

/// What the job shows is in its log already; the daemon follows that.
class NoObserver final : public engine::Observer {
 public:
  void job_changed(const engine::JobView&) override {}
  void job_output(std::size_t, int, std::string_view) override {}
};

fs::path path_of(int directory) {
  std::array<char, 4096> buffer{};
  const std::string name = "/proc/self/fd/" + std::to_string(directory);
  const ssize_t size = ::readlink(name.c_str(), buffer.data(), buffer.size());
  if (size <= 0 || static_cast<std::size_t>(size) == buffer.size())
    throw_errno("cannot tell the directory of a job");
  return std::string(buffer.data(), static_cast<std::size_t>(size));
}

/// What a job's process writes to standard error, operators find in the daemon's log.
void keep_messages(const fs::path& place) {
  const UniqueFd file(
      ::open((place / job_file::kMessages).c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  if (file) ::dup2(file.get(), STDERR_FILENO);
}

class JobProcess {
 public:
  JobProcess(fs::path place, const executors::Launcher& launcher, UniqueFd first,
             const CheckoutMaker& make_checkout)
      : place_(std::move(place)),
        layers_(open_layers()),
        received_(engine::thaw_order(order_text(), finder())),
        caches_(*layers_),
        workspaces_(received_.mount_mode),
        executor_(launcher, executors::StepLife::with_runner),
        containers_(launcher, container_options(received_.options.containers),
                    executors::StepLife::with_runner),
        jobs_(received_.options, parts()),
        control_(received_.options.cancel_grace, deadline(), [this] { wake_.signal(); }),
        listener_(listen_in(place_)) {
    clients_.push_back(std::move(first));
    received_.request->checkout = make_checkout(received_.request->recipe, *layers_);
  }

  void run() {
    std::thread worker([this] { work(); });
    serve();
    worker.join();
    remove_tree(place_);
  }

 private:
  std::string order_text() const {
    auto text = read_file(place_ / job_file::kOrder);
    if (!text) throw Error(ErrorCode::not_found, "a job has no order in " + in_quotes(place_.native()));
    return std::move(*text);
  }
  /// The options are in the order, but its layers are looked up while it is read.
  std::unique_ptr<cache::LayerStore> open_layers() const {
    return cache::LayerStore::open(place_.parent_path().parent_path() / "layers", clock_);
  }
  engine::FindEntry finder() const {
    return [this](const cache::EntryName& name, std::string& why) { return layers_->find(name, &why); };
  }
  engine::JobParts parts() {
    engine::JobParts parts{executor_, workspaces_, &caches_, clock_, observer_};
    parts.waits_for_room = true;
    if (!received_.options.containers.socket.empty()) parts.containers = &containers_;
    parts.program = executors::own_program();
    parts.on_begin = [this] {
      failpoint("job.beginning");
      write_file_atomic(place_ / job_file::kStarted, "", 0600, false);
      failpoint("job.begun");
    };
    return parts;
  }
  SteadyPoint deadline() const {
    const auto limit = received_.request->plan.jobs[0].timeout.value_or(received_.options.default_timeout);
    return clock_.steady_now() + limit;
  }

  // ---- the job, on a thread of its own

  void work() noexcept {
    engine::JobOutcome outcome;
    jobs_.run(received_.order, control_, [&](engine::JobOutcome ended) {
      outcome = std::move(ended);
      failpoint("job.ended");
      publish(job_file::kOutcome, engine::freeze(outcome), has_outcome_);
      failpoint("job.told");
    });
    failpoint("job.cleaned");
    if (outcome.collected.layer || outcome.collected.reports) {
      ::setpriority(PRIO_PROCESS, static_cast<id_t>(::syscall(SYS_gettid)), kArchiveNiceness);
      const engine::ArchiveOrder order{received_.order.state.id, received_.order.archive_root};
      const engine::Archives archives =
          jobs_.archive(order, outcome.collected, [this] { return settled_.load(); });
      failpoint("job.archived");
      publish(job_file::kArchives, engine::freeze(archives), has_archives_);
    }
    // Until settled: what the outcome speaks of is held as long as this lives.
    settled_.wait(false);
  }

  void publish(const char* file, const std::string& text, std::atomic<bool>& published) noexcept {
    std::string told;
    for (auto wait = kFirstWait;; wait = std::min(wait * 2, kLongestWait)) {
      try {
        write_file_atomic(place_ / file, text, 0600, false);
        published = true;
        break;
      } catch (const Error& error) {
        if (std::exchange(told, error.what()) != error.what()) log_error("job", told);
        // What was done must not be lost, and be done again, for want of room.
        const bool passes =
            error.code() == ErrorCode::unavailable || error.system() == std::errc::read_only_file_system;
        if (!passes) {
          // The daemon sees the process end without it, and says so.
          failed_ = true;
          break;
        }
      }
      std::this_thread::sleep_for(wait);
    }
    wake_.signal();
  }

  // ---- daemons, on the main thread

  void serve() {
    while (!settled_) {
      if (failed_) std::_Exit(1);
      const auto next = control_.check_deadlines(clock_.steady_now());
      std::vector<pollfd> watched = {{wake_.fd(), POLLIN, 0}, {listener_.get(), POLLIN, 0}};
      for (const UniqueFd& client : clients_) watched.push_back({client.get(), POLLIN, 0});
      if (::poll(watched.data(), watched.size(), milliseconds_until(next)) < 0) {
        if (errno == EINTR) continue;
        throw_errno("cannot wait for a daemon");
      }
      if (watched[0].revents != 0) {
        wake_.clear();
        tell_all();
      }
      // From the last to the first: those that are gone are taken out.
      for (std::size_t i = watched.size(); i-- > 2;) {
        if (watched[i].revents != 0) hear(i - 2);
      }
      if (watched[1].revents != 0) accept_client();
      if (has_outcome_ && place_is_gone()) {
        settled_ = true;
        settled_.notify_all();
      }
    }
  }

  /// The data directory was removed: no daemon will ever ask.
  bool place_is_gone() const {
    struct stat info {};
    return ::lstat((place_ / job_file::kOrder).c_str(), &info) != 0 && (errno == ENOENT || errno == ENOTDIR);
  }

  int milliseconds_until(std::optional<SteadyPoint> next) const {
    if (has_outcome_) return kLookForPlace;
    if (!next) return -1;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*next - clock_.steady_now()).count();
    constexpr std::int64_t kLongest = 60'000;
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, kLongest));
  }

  void accept_client() {
    UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (!client) return;
    tell(client.get());
    clients_.push_back(std::move(client));
  }

  void tell_all() {
    for (const UniqueFd& client : clients_) tell(client.get());
  }

  // More than once is fine, and one that is gone is noticed when it is heard.
  void tell(int client) const {
    if (has_outcome_) send_signal(client, JobSignal::outcome);
    if (has_archives_) send_signal(client, JobSignal::archives);
  }

  void hear(std::size_t index) {
    const auto signal = receive_signal(clients_[index].get());
    if (!signal) {
      clients_.erase(clients_.begin() + static_cast<std::ptrdiff_t>(index));
      return;
    }
    switch (*signal) {
      case JobSignal::cancel:
        return control_.cancel();
      case JobSignal::kill:
        return control_.kill();
      case JobSignal::settle:
        if (!has_outcome_) return;
        settled_ = true;
        settled_.notify_all();
        return;
      case JobSignal::outcome:
      case JobSignal::archives:
        return;
    }
  }

  static constexpr int kLookForPlace = 5'000;  // milliseconds

  const SystemClock clock_;
  const fs::path place_;
  const std::unique_ptr<cache::LayerStore> layers_;
  engine::ReceivedOrder received_;
  cache::Caches caches_;
  cache::Workspaces workspaces_;
  executors::ShellExecutor executor_;
  executors::ContainerExecutor containers_;
  NoObserver observer_;
  engine::LocalJobs jobs_;
  const WakeUp wake_;
  engine::StopControl control_;
  const UniqueFd listener_;
  std::vector<UniqueFd> clients_;
  std::atomic<bool> has_outcome_{false}, has_archives_{false}, settled_{false}, failed_{false};
};

/// A server may be spared when memory is short; its jobs are not. Lowering it again would take a right.
void be_no_exception() noexcept {
  try {
    const UniqueFd file(::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));
    if (file) write_all(file.get(), "0");
  } catch (const std::exception& error) {
    log_debug("job", error.what());  // a container may forbid it
  }
}

/// The machinery failed before the job began, or after it had ended.
void give_up(const fs::path& place, const char* why) noexcept {
  try {
    if (place.empty() || fs::exists(place / job_file::kOutcome)) return;
    engine::JobOutcome outcome;
    outcome.result = {
        engine::RunResult::Kind::failed, pipelines::FailureReason::runner_system_failure, {}, why};
    write_file_atomic(place / job_file::kOutcome, engine::freeze(outcome), 0600, false);
  } catch (const std::exception& error) {
    log_error("job", error.what());
  }
}

}  // namespace

void run_job_process(const executors::AwaitWork& next, const CheckoutMaker& make_checkout) noexcept {
  ::prctl(PR_SET_NAME, "runner-job");
  std::vector<UniqueFd> fds;
  fs::path place;
  try {
    // One thread works, the other waits. A second arena would grow by a system call for each page.
    ::mallopt(M_ARENA_MAX, 1);
    // Before all else, as every step is a fork of it.
    const auto launcher = executors::Launcher::start();
    git::warm_up();
    database::open_sqlite_memory();
    sha256_hex({});
    be_no_exception();
    fds = next();
    if (fds.size() != 3) return;
    place = path_of(fds[0].get());
    keep_messages(place);
    // The lock stays with this function: it is given up last.
    JobProcess(place, launcher, std::move(fds[2]), make_checkout).run();
  } catch (const std::exception& error) {
    log_error("job", error.what());
    give_up(place, error.what());
  }
}

}  // namespace runner::daemon
