#include "runner/forge/status_sender.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <random>
#include <stop_token>
#include <thread>
#include <vector>

#include "runner/base/error.h"
#include "runner/base/log.h"
#include "runner/base/synchronized.h"
#include "runner/forge/forge_api.h"
#include "runner/forge/status_outbox.h"
#include "runner/storage/outbox_table.h"
#include "runner/storage/status_report_table.h"

namespace runner::forge {
namespace {

using std::chrono::milliseconds;
using storage::OutboxRecord;

// The outbox is looked at so often while something waits: wall clocks are put forward, too.
constexpr milliseconds kLongestSleep{60'000};
// After a failure of our own store.
constexpr milliseconds kStoreWait{5'000};

/// One act, and all that is needed to do it.
struct Task {
  OutboxRecord act;
  std::optional<CommitStatus> status;  // nullopt: it cannot be read
  std::optional<storage::ProjectRecord> project;
  ForgePlace place;
  std::optional<storage::Secret> token;
  std::string unreadable;  // there is a token, but the data key does not open it
};

}  // namespace

struct StatusSender::Impl {
  Impl(storage::Store& its_store, const storage::Sealer& its_sealer, const Clock& its_clock,
       SenderOptions its_options)
      : store(its_store),
        sealer(its_sealer),
        clock(its_clock),
        options(std::move(its_options)),
        random(std::random_device{}()),
        thread([this] { work(); }) {}

  // ---- when

  void work() noexcept {
    std::unique_lock lock(mutex);
    while (!stopping.stop_requested()) {
      woken = false;
      lock.unlock();
      const auto sleep = try_one();
      lock.lock();
      const auto wanted = [&] { return woken || stopping.stop_requested(); };
      if (!sleep) {
        changed.wait(lock, wanted);
      } else if (sleep->count() > 0) {
        changed.wait_for(lock, *sleep, wanted);
      }
    }
  }

  /// How long to sleep then; nullopt: until something is written.
  std::optional<milliseconds> try_one() noexcept {
    try {
      const std::optional<Task> task = next();
      if (task) {
        perform(*task);
        trouble.clear();
        return milliseconds(0);
      }
      std::optional<TimePoint> due;
      store.read([&](storage::Tx& tx) { due = storage::Outbox(tx).next_due(kStatusKind); });
      trouble.clear();
      if (!due) return std::nullopt;
      return std::clamp(std::chrono::duration_cast<milliseconds>(*due - clock.now()), milliseconds(1),
                        kLongestSleep);
    } catch (const std::exception& error) {
      if (!stopping.stop_requested() && trouble != error.what())
        log_error("forge", std::string("commit statuses wait: ") + error.what());
      trouble = error.what();
      return kStoreWait;
    }
  }

  // ---- what

  std::optional<Task> next() {
    const TimePoint now = clock.now(), latest = now + options.longest_pause * 2;
    std::optional<TimePoint> farthest;
    std::optional<Task> task;
    store.read([&](storage::Tx& tx) {
      task.reset();
      storage::Outbox outbox(tx);
      farthest = outbox.next_due(kStatusKind);
      std::vector<OutboxRecord> due = outbox.due(kStatusKind, now, 1);
      if (due.empty()) return;
      task.emplace();
      task->act = std::move(due.front());
      task->status = decode(task->act.payload);
      if (task->status) task->project = storage::Projects(tx).find(task->status->project);
      if (!task->project) return;
      task->place = place_of(*task->project);
      if (task->place.kind == ForgeKind::none) return;
      try {
        task->token = forge_token(tx, sealer, *task->project, task->place);
      } catch (const Error& error) {
        // A matter of this project alone: the others go on.
        if (error.code() == ErrorCode::unavailable) throw;
        task->unreadable = std::string("the token cannot be read; set it anew: ") + error.what();
      }
    });
    // None was meant to wait as long: the clock was put back.
    if (farthest && *farthest > latest) {
      store.write([&](storage::Tx& tx) { storage::Outbox(tx).bound(kStatusKind, latest); });
    }
    return task;
  }

  void perform(const Task& task) {
    if (!task.unreadable.empty()) {
      settle(task, {Verdict::Kind::refused, true, {}, task.unreadable});
      return;
    }
    if (!task.status || !task.project || !task.token) {
      // The project is gone, or has no forge or no token any more.
      if (!task.status)
        log_error("forge", "the commit status " + in_log(task) + " cannot be read; it is dropped");
      store.write([&](storage::Tx& tx) { storage::Outbox(tx).remove(task.act.key); });
      return;
    }
    const auto held = held_until.find(task.place.api);
    if (held != held_until.end()) {
      const auto left = std::chrono::duration_cast<milliseconds>(held->second - clock.steady_now());
      if (left.count() > 0) {
        const TimePoint until = clock.now() + left;
        store.write([&](storage::Tx& tx) {
          storage::Outbox(tx).hold(kStatusKind, key_prefix_of(task.project->id), until);
        });
        return;
      }
      held_until.erase(held);
    }
    settle(task, send(task));
  }

  Verdict send(const Task& task) {
    try {
      const ForgeAnswer answer =
          ask_forge(status_request(task.place, *task.status, task.token->text(), options.server),
                    options.limits, stopping.get_token());
      return judge(task.place, answer, task.token->text(), clock.now());
    } catch (const Error& error) {
      if (error.code() == ErrorCode::cancelled) throw;
      Verdict verdict;
      verdict.whole_project = true;
      verdict.why = task.place.api + ": " + error.what();
      return verdict;
    }
  }

  void settle(const Task& task, const Verdict& verdict) {
    const TimePoint now = clock.now();
    if (verdict.kind == Verdict::Kind::taken) {
      store.write([&](storage::Tx& tx) {
        remove_if_same(tx, task, now);
        storage::StatusReports(tx).delivered(task.project->id, now);
      });
      count(task, "delivered");
      if (failing.erase(task.project->id) != 0)
        log_info("forge", "project " + task.project->name + ": the forge takes commit statuses again");
      return;
    }
    const bool refused = verdict.kind == Verdict::Kind::refused;
    const bool given_up = refused ? task.act.attempts + 1 >= options.most_refusals
                                  : now - task.act.created_at > options.given_up;
    const milliseconds wait = wait_of(task.act.attempts, verdict);
    store.write([&](storage::Tx& tx) {
      storage::Outbox outbox(tx);
      if (given_up) {
        remove_if_same(tx, task, now + wait);
      } else {
        outbox.postpone(task.act.key, now + wait, verdict.why);
      }
      if (verdict.whole_project) outbox.hold(kStatusKind, key_prefix_of(task.project->id), now + wait);
      storage::StatusReports(tx).failed(task.project->id, now, verdict.why);
    });
    count(task, given_up ? "dropped" : "failed");
    // Others of the same server would wait in vain, each until its time is over.
    if (!refused) held_until[task.place.api] = clock.steady_now() + wait;
    tell(task, verdict, given_up);
  }

  /// A newer status may have taken its place meanwhile; that one is sent then, from `due` on.
  static void remove_if_same(storage::Tx& tx, const Task& task, TimePoint due) {
    storage::Outbox outbox(tx);
    auto found = outbox.find(task.act.key);
    if (!found) return;
    outbox.remove(task.act.key);
    if (found->payload == task.act.payload) return;
    found->attempts = 0;
    found->next_attempt_at = due;
    found->last_error.clear();
    outbox.append(*found);
  }

  milliseconds wait_of(std::int64_t attempts, const Verdict& verdict) {
    milliseconds wait = options.first_wait;
    for (std::int64_t i = 0; i < attempts && wait < options.longest_wait; ++i) wait *= 2;
    std::uniform_int_distribution<std::int64_t> share(800, 1200);
    wait = std::min(wait, options.longest_wait) * share(random) / 1000;
    const milliseconds asked = std::min<milliseconds>(
        std::min<std::chrono::seconds>(verdict.wait, std::chrono::hours(24)), options.longest_pause);
    return std::max({wait, asked, milliseconds(1)});
  }

  void tell(const Task& task, const Verdict& verdict, bool given_up) {
    std::string& told = failing[task.project->id];
    const std::string kind = without_digits(verdict.why);
    const std::string what = "project " + task.project->name + ": the commit status " + in_log(task);
    if (given_up) {
      log_warn("forge", what + " is given up: " + verdict.why);
    } else if (told != kind) {
      log_warn("forge", what + " is not delivered yet: " + verdict.why);
    }
    told = kind;
  }

  /// Times and counts differ, and what happened is the same.
  static std::string without_digits(std::string text) {
    std::erase_if(text, [](char c) { return c >= '0' && c <= '9'; });
    return text;
  }

  static std::string in_log(const Task& task) {
    if (!task.status) return "'" + task.act.key + "'";
    return "'" + task.status->name + "' of " + task.status->sha.substr(0, 8);
  }

  void count(const Task& task, const char* result) { ++results.lock()->results[{task.place.kind, result}]; }

  void stop() {
    {
      const std::lock_guard lock(mutex);
      stopping.request_stop();
    }
    changed.notify_all();
    if (thread.joinable()) thread.join();
  }

  storage::Store& store;
  const storage::Sealer& sealer;
  const Clock& clock;
  const SenderOptions options;
  // Of the thread alone.
  std::mt19937 random;
  std::map<std::string, SteadyPoint> held_until;  // by API: it was ill, or wants to be left alone
  std::map<std::int64_t, std::string> failing;    // by project: what was last said in the log
  std::string trouble;                            // of our own store
  Synchronized<SenderStats> results;
  std::stop_source stopping;
  std::mutex mutex;
  std::condition_variable changed;
  bool woken = false;
  std::thread thread;  // last: it uses the others
};

StatusSender::StatusSender(storage::Store& store, const storage::Sealer& sealer, const Clock& clock,
                           SenderOptions options)
    : impl_(std::make_unique<Impl>(store, sealer, clock, std::move(options))) {}

StatusSender::~StatusSender() {
  impl_->stop();
}

void StatusSender::wake() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->woken = true;
  }
  impl_->changed.notify_one();
}

void StatusSender::stop() {
  impl_->stop();
}

SenderStats StatusSender::stats() const {
  return *impl_->results.lock();
}

}  // namespace runner::forge
