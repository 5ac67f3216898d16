#include "cache/housekeeper.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <functional>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>

#include "cache/background.h"
#include "cache/caches.h"
#include "cache/mount_point.h"
#include "runner/base/error.h"
#include "runner/base/log.h"
#include "runner/base/text.h"

namespace runner::cache {
namespace fs = std::filesystem;
namespace {

constexpr std::uint64_t kMostByDefault = 20ULL << 30U;
constexpr std::uint64_t kPartOfDisk = 10;
// Each layer costs the jobs that use it half a microsecond for each name that is nowhere.
constexpr std::size_t kHighStack = 8;
// Writing a whole file system out slows others down: only in a quiet moment.
constexpr std::chrono::seconds kQuiet{2};
// Until somebody looks whether it was done.
constexpr std::chrono::seconds kSyncTime{40};

}  // namespace

std::uint64_t default_budget(const fs::path& path) {
  if (const char* wish = std::getenv("RUNNER_CACHE_SIZE"); wish != nullptr && *wish != '\0') {
    const auto size = parse_bytes(wish);
    if (!size) {
      throw Error(ErrorCode::invalid_input,
                  "RUNNER_CACHE_SIZE is " + in_quotes(wish) +
                      ": a size such as 50GB or 500 MiB is expected, or 0 for no limit");
    }
    return *size == 0 ? kNoBudget : *size;
  }
  fs::path there = fs::absolute(path);
  std::error_code error;
  while (there.has_relative_path() && !fs::exists(there, error)) there = there.parent_path();
  return std::min(kMostByDefault, disk_of(there).total / kPartOfDisk);
}

struct Housekeeper::Impl {
  Impl(LayerStore& layers, HousekeepingOptions given) : store(layers), options(given) {}

  void run() {
    std::unique_lock lock(mutex);
    for (;;) {
      const auto called = [this] { return wanted || stopping; };
      if (!unsynced) {
        changed.wait(lock, called);
      } else if (!changed.wait_for(lock, syncing ? kSyncTime : kQuiet, called)) {
        unsynced = syncing = false;
        bool started = false;
        unlocked(lock, [&] { started = store.start_sync(); });
        unsynced = syncing = started;
        continue;
      }
      if (stopping) return;
      wanted = syncing = false;
      unsynced = true;
      unlocked(lock, [this] { tidy(); });
    }
  }

  /// Does something without the lock; what goes wrong is logged, and tried again when called the next time.
  template <typename Do>
  void unlocked(std::unique_lock<std::mutex>& lock, const Do& act) {
    lock.unlock();
    try {
      act();
    } catch (const Error& error) {
      if (error.code() != ErrorCode::cancelled)
        log_warn("cache", std::string("while tidying the layers up: ") + error.what());
    } catch (const std::exception& error) {
      log_error("cache", std::string("while tidying the layers up: ") + error.what());
    }
    lock.lock();
  }

  /// Whatever goes wrong before, the budget is kept: on a full disk that is what helps, and one layer that
  /// cannot be read must not let all others grow.
  void tidy() {
    if (!recovered) recovered = attempt([this] { store.recover(background); });
    attempt([this] { seal(); });
    attempt([this] { squash(); });
    attempt([this] { seal(); });
    if (!stopping) collect();
  }

  /// False when it failed, which is told.
  bool attempt(const std::function<void()>& act) const {
    if (stopping) return false;
    try {
      act();
      return true;
    } catch (const Error& error) {
      if (error.code() == ErrorCode::cancelled) return false;
      log_warn("cache", std::string("while tidying the layers up: ") + error.what());
    }
    return false;
  }

  void seal() {
    while (!stopping && store.seal_one(background)) {
    }
  }

  void squash() {
    for (const Entry& listed : store.list({})) {
      if (stopping) return;
      if (listed.layers.size() <= kHighStack) continue;
      // Held: nobody may remove its layers meanwhile.
      if (const HeldEntry entry = store.peek(listed.name))
        attempt([&] { squash_entry(store, *entry, background); });
    }
  }

  void collect() {
    CollectPolicy policy;
    policy.budget = options.budget;
    policy.unused_for = options.unused_for;
    policy.dry_run = true;
    if (stopping) return;
    // A look keeps nobody waiting.
    const CollectReport look = store.collect(policy);
    if (stopping || (look.evicted.empty() && look.layers == 0)) return;
    policy.dry_run = false;
    store.collect(policy, background);
  }

  /// On a thread of its own: an unprivileged one that has given its priority away does not get it back, and
  /// one without priority that writes to the index keeps others out for as long as the processors are busy.
  static void run_slowly(const std::function<void()>& act) {
    std::exception_ptr error;
    std::thread slow([&] {
      take_low_priority();
      try {
        act();
      } catch (...) {
        error = std::current_exception();
      }
    });
    slow.join();
    if (error) std::rethrow_exception(error);
  }

  /// Most processes end before there was a quiet moment.
  void leave_sync() noexcept {
    if (!wanted && (!unsynced || syncing)) return;
    try {
      store.start_sync();
    } catch (const std::exception& error) {
      log_warn("cache", std::string("the layers are not written to disk: ") + error.what());
    }
  }

  LayerStore& store;
  const HousekeepingOptions options;
  const Background background{[this] { return stopping.load(); }, run_slowly};
  bool recovered = false;  // the thread's own

  std::mutex mutex;
  std::condition_variable changed;
  std::atomic<bool> stopping{false};
  bool wanted = false;
  bool unsynced = false;  // something may not be on disk yet
  bool syncing = false;   // and a process was started for it
  std::thread thread;
};

Housekeeper::Housekeeper(LayerStore& store, HousekeepingOptions options) {
  if (options.budget == 0) options.budget = default_budget(store.root());
  impl_ = std::make_unique<Impl>(store, options);
}

Housekeeper::~Housekeeper() {
  stop();
}

void Housekeeper::wake() {
  {
    const std::lock_guard lock(impl_->mutex);
    if (impl_->stopping) return;
    impl_->wanted = true;
    if (!impl_->thread.joinable()) {
      const AllSignalsBlocked signals;
      try {
        impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
      } catch (const std::system_error& error) {
        log_warn("cache", std::string("cannot start a thread to tidy the layers up: ") + error.what());
      }
    }
  }
  impl_->changed.notify_one();
}

void Housekeeper::stop() noexcept {
  std::thread thread;
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
    thread.swap(impl_->thread);
  }
  impl_->changed.notify_one();
  if (!thread.joinable()) return;
  thread.join();
  impl_->leave_sync();
}

}  // namespace runner::cache
