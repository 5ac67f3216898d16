#include "runner/daemon/project_watch.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <random>
#include <set>
#include <stop_token>
#include <thread>
#include <utility>

#include "runner/base/log.h"
#include "runner/storage/project_table.h"

namespace runner::daemon {

using storage::ProjectRecord;

namespace {

// While nothing can be stored.
constexpr std::chrono::milliseconds kBetweenQuestions{500};

}  // namespace

struct ProjectWatch::Impl {
  Impl(const LookParts& watch_parts, WatchOptions watch_options)
      : parts(watch_parts),
        options(watch_options),
        looker(watch_parts, watch_options.limits, stopping.get_token()),
        random(std::random_device{}()) {
    reload();
    for (std::size_t i = 0; i < options.threads; ++i) threads.emplace_back([this] { work(); });
  }

  // ---- when

  struct Watched {
    std::optional<SteadyPoint> due;  // nullopt: when somebody asks
    std::chrono::milliseconds interval{0};
    bool busy = false, again = false;
    LookState state;
  };

  void reload() {
    std::vector<ProjectRecord> projects;
    parts.store.read([&](storage::Tx& tx) {
      projects.clear();
      storage::Projects table(tx);
      for (std::string after;;) {
        auto page = table.list(after);
        if (page.empty()) break;
        after = page.back().name;
        projects.insert(projects.end(), page.begin(), page.end());
      }
    });
    const std::lock_guard lock(mutex);
    std::set<std::int64_t> there;
    for (const ProjectRecord& project : projects) {
      there.insert(project.id);
      const bool is_new = !watched.contains(project.id);
      Watched& one = watched[project.id];
      const bool polled = project.poll_interval.count() > 0 && !project.paused;
      one.interval = polled ? project.poll_interval : std::chrono::milliseconds(0);
      // Somebody changed something: it may work now.
      if (!project.paused && (is_new || !one.state.error.empty())) one.due = parts.clock.steady_now();
      // The look under way may have begun before the change.
      if (one.busy) one.again = true;
      if (!polled && !is_new && one.state.error.empty()) one.due.reset();
      if (polled && !one.due) one.due = parts.clock.steady_now() + jittered(one.interval);
    }
    std::erase_if(watched, [&](const auto& one) { return !there.contains(one.first); });
    changed.notify_all();
  }

  void poke(std::int64_t project) {
    const std::lock_guard lock(mutex);
    const auto found = watched.find(project);
    if (found == watched.end()) return;
    found->second.again = found->second.busy;
    found->second.due = parts.clock.steady_now();
    changed.notify_one();
  }

  /// Between nine and eleven tenths: many projects of one server do not ask it all at once.
  std::chrono::milliseconds jittered(std::chrono::milliseconds time) {
    std::uniform_int_distribution<std::int64_t> tenths(900, 1100);
    return time * tenths(random) / 1000;
  }

  void plan_next(Watched& one, bool failed) {
    one.busy = false;
    if (std::exchange(one.again, false)) {
      one.due = parts.clock.steady_now();
      return;
    }
    one.due.reset();
    if (one.interval.count() == 0 && !failed) return;
    auto wait = one.interval.count() == 0 ? std::chrono::milliseconds(30'000) : one.interval;
    if (failed) {
      for (std::size_t i = 1; i < one.state.failures && wait < options.longest_back_off; ++i) wait *= 2;
      wait = std::max(one.interval, std::min(wait, options.longest_back_off));
    }
    one.due = parts.clock.steady_now() + jittered(wait);
  }

  void work() {
    std::unique_lock lock(mutex);
    while (!stopping.stop_requested()) {
      if (!may_look()) {
        changed.wait_for(lock, kBetweenQuestions);
        continue;
      }
      auto next = watched.end();
      for (auto one = watched.begin(); one != watched.end(); ++one) {
        if (one->second.busy || !one->second.due) continue;
        if (next == watched.end() || *one->second.due < *next->second.due) next = one;
      }
      if (next == watched.end()) {
        changed.wait(lock);
        continue;
      }
      if (*next->second.due > parts.clock.steady_now()) {
        changed.wait_until(lock, *next->second.due);
        continue;
      }
      const std::int64_t id = next->first;
      next->second.busy = true;
      lock.unlock();
      std::string error;
      const bool there = look(id, error);
      lock.lock();
      const auto looked = watched.find(id);
      if (looked == watched.end()) continue;
      if (!there) {
        watched.erase(looked);
        continue;
      }
      LookState& state = looked->second.state;
      state.at = parts.clock.now();
      if (error.empty()) {
        state.ok_at = state.at;
        state.failures = 0;
      } else if (++state.failures == 1 || error != state.error) {
        log_warn("watch", error);
      }
      if (error.empty() && !state.error.empty())
        log_info("watch", "project " + std::to_string(id) + " can be reached again");
      state.error = error;
      plan_next(looked->second, !error.empty());
      changed.notify_one();
    }
  }

  /// False while nothing can be stored. Once it can again, what failed because of that is tried at once.
  bool may_look() {
    const bool held_before = std::exchange(held, parts.may_store && !parts.may_store());
    if (!held && held_before) {
      for (auto& [id, one] : watched) {
        if (!one.state.error.empty()) one.due = parts.clock.steady_now();
      }
    }
    return !held;
  }

  /// False: the project is gone.
  bool look(std::int64_t id, std::string& error) noexcept {
    ++looks;
    try {
      return looker.look(id);
    } catch (const std::exception& e) {
      if (stopping.stop_requested()) return true;
      ++failed_looks;
      error = e.what();
      return true;
    }
  }

  void stop() {
    {
      const std::lock_guard lock(mutex);
      stopping.request_stop();
    }
    changed.notify_all();
    for (std::thread& thread : threads) thread.join();
    threads.clear();
  }

  const LookParts parts;
  const WatchOptions options;
  std::stop_source stopping;
  RepositoryLook looker;
  mutable std::mutex mutex;
  std::condition_variable changed;
  std::mt19937 random;
  std::map<std::int64_t, Watched> watched;
  bool held = false;
  std::atomic<std::uint64_t> looks{0}, failed_looks{0};
  std::vector<std::thread> threads;
};

ProjectWatch::ProjectWatch(const LookParts& parts, WatchOptions options)
    : impl_(std::make_unique<Impl>(parts, options)) {}

ProjectWatch::~ProjectWatch() {
  impl_->stop();
}

void ProjectWatch::stop() {
  impl_->stop();
}

void ProjectWatch::reload() {
  impl_->reload();
}

void ProjectWatch::poke(std::int64_t project) {
  impl_->poke(project);
}

std::int64_t ProjectWatch::start_pipeline(const ProjectRecord& project, const std::string& ref,
                                          Trigger trigger) {
  return impl_->looker.start_pipeline(project, ref, std::move(trigger));
}

Made ProjectWatch::run_scheduled(const ProjectRecord& project, const std::string& ref, Trigger trigger,
                                 const Settle& settle) {
  return impl_->looker.run_scheduled(project, ref, std::move(trigger), settle);
}

git::RemoteRefs ProjectWatch::ask(const ProjectRecord& project) {
  return impl_->looker.ask(project);
}

std::map<std::int64_t, LookState> ProjectWatch::states() const {
  const std::lock_guard lock(impl_->mutex);
  std::map<std::int64_t, LookState> states;
  for (const auto& [id, one] : impl_->watched) states.emplace(id, one.state);
  return states;
}

LookState ProjectWatch::state(std::int64_t project) const {
  const std::lock_guard lock(impl_->mutex);
  const auto found = impl_->watched.find(project);
  return found == impl_->watched.end() ? LookState{} : found->second.state;
}

WatchStats ProjectWatch::stats() const {
  const LookStats made = impl_->looker.stats();
  return {impl_->looks, impl_->failed_looks, made.fetches, made.pipelines};
}

}  // namespace runner::daemon
