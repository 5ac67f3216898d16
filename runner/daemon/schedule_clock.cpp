#include "runner/daemon/schedule_clock.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "runner/base/log.h"
#include "runner/daemon/wall_timer.h"

namespace runner::daemon {
namespace {

// Between two looks at the store at most: a clock that jumps over a suspended machine's sleep tells nobody.
constexpr std::chrono::minutes kLongestSleep{5};
// After the store failed.
constexpr std::chrono::seconds kPause{10};

}  // namespace

struct ScheduleClock::Impl {
  Impl(ScheduleParts parts, std::size_t threads)
      : clock(parts.clock), count(threads), runs(std::move(parts)) {}

  void start() {
    for (std::size_t i = 0; i < count; ++i) workers.emplace_back([this] { work(); });
    sleeper = std::thread([this] { keep_time(); });
  }

  void keep_time() {
    auto woken = WallTimer::Woken::clock_set;  // it may have been set while nobody served
    while (!stopping) {
      try {
        if (woken != WallTimer::Woken::called) runs.follow_clock();
        hand_out(runs.due());
        const TimePoint latest = clock.now() + kLongestSleep;
        woken = timer.wait(std::min(runs.next().value_or(latest), latest));
      } catch (const std::exception& error) {
        log_error("schedules", error.what());
        woken = pause();
      }
    }
  }

  WallTimer::Woken pause() {
    std::unique_lock lock(mutex);
    changed.wait_for(lock, kPause, [this] { return stopping.load(); });
    return WallTimer::Woken::clock_set;
  }

  void hand_out(std::vector<storage::ScheduleRecord> due) {
    const std::lock_guard lock(mutex);
    for (auto& schedule : due) {
      if (!busy.insert(schedule.id).second) continue;
      waiting.push_back(std::move(schedule));
    }
    changed.notify_all();
  }

  void work() {
    std::unique_lock lock(mutex);
    for (;;) {
      changed.wait(lock, [this] { return stopping || !waiting.empty(); });
      if (stopping) return;
      const storage::ScheduleRecord schedule = std::move(waiting.front());
      waiting.pop_front();
      lock.unlock();
      const bool stored = run(schedule);
      lock.lock();
      // It is still due then: left alone for a while, as the store fails for all.
      if (!stored) changed.wait_for(lock, kPause, [this] { return stopping.load(); });
      busy.erase(schedule.id);
      timer.wake();
    }
  }

  bool run(const storage::ScheduleRecord& schedule) noexcept {
    try {
      runs.run(schedule);
      return true;
    } catch (const std::exception& error) {
      if (!stopping) log_error("schedules", error.what());
      return false;
    }
  }

  void stop() {
    {
      const std::lock_guard lock(mutex);
      stopping = true;
    }
    changed.notify_all();
    timer.wake();
    if (sleeper.joinable()) sleeper.join();
    for (std::thread& worker : workers) worker.join();
    workers.clear();
  }

  const Clock& clock;
  const std::size_t count;  // of workers
  ScheduleRuns runs;
  WallTimer timer;
  std::mutex mutex;  // of the next three
  std::condition_variable changed;
  std::deque<storage::ScheduleRecord> waiting;
  std::set<std::int64_t> busy;  // waiting ones too
  std::atomic<bool> stopping{false};
  std::vector<std::thread> workers;
  std::thread sleeper;
};

ScheduleClock::ScheduleClock(ScheduleParts parts, std::size_t threads)
    : impl_(std::make_unique<Impl>(std::move(parts), threads)) {}

ScheduleClock::~ScheduleClock() {
  impl_->stop();
}

void ScheduleClock::start() {
  impl_->start();
}

void ScheduleClock::stop() {
  impl_->stop();
}

void ScheduleClock::changed() noexcept {
  impl_->timer.wake();
}

void ScheduleClock::add_metrics(MetricsText& text) const {
  text.family("runner_schedules_runs_total", "counter", "Runs of schedules, and what came of them.");
  for (std::size_t i = 0; i < kRunResults; ++i) {
    const auto result = static_cast<RunResult>(i);
    text.sample("runner_schedules_runs_total", static_cast<double>(impl_->runs.count(result)),
                {{"result", to_string(result)}});
  }
}

}  // namespace runner::daemon
