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

#include "runner/base/error.h"
#include "runner/base/failpoint.h"
#include "runner/base/glob.h"
#include "runner/base/log.h"
#include "runner/base/text.h"
#include "runner/daemon/project_access.h"
#include "runner/storage/delivery_table.h"
#include "runner/storage/ref_table.h"
#include "runner/storage/tables.h"

namespace runner::daemon {
namespace {

using storage::ProjectRecord;

constexpr std::string_view kBranch = "refs/heads/", kTag = "refs/tags/";
constexpr std::size_t kDeliveries = 100;  // finished in one transaction

/// `*` matches any text, as in branch rules of forges.
bool matches_pattern(std::string_view pattern, std::string_view name) {
  std::size_t at = 0, star = std::string_view::npos, mark = 0, i = 0;
  while (i < name.size()) {
    if (at < pattern.size() && pattern[at] == '*') {
      star = at++;
      mark = i;
    } else if (at < pattern.size() && pattern[at] == name[i]) {
      ++at;
      ++i;
    } else if (star != std::string_view::npos) {
      at = star + 1;
      i = ++mark;
    } else {
      return false;
    }
  }
  while (at < pattern.size() && pattern[at] == '*') ++at;
  return at == pattern.size();
}

bool is_watched(const ProjectRecord& project, std::string_view ref) {
  const auto one_of = [](const std::vector<std::string>& patterns, std::string_view name) {
    return std::any_of(patterns.begin(), patterns.end(),
                       [&](const std::string& pattern) { return matches_pattern(pattern, name); });
  };
  if (ref.starts_with(kBranch)) return one_of(project.branches, ref.substr(kBranch.size()));
  if (ref.starts_with(kTag)) return one_of(project.tags, ref.substr(kTag.size()));
  return false;
}

}  // namespace

std::vector<ChangedRef> changed_refs(const ProjectRecord& project, const git::RemoteRefs& remote,
                                     const std::map<std::string, std::string>& known) {
  std::vector<ChangedRef> changed;
  for (const git::RemoteRef& ref : remote.refs) {
    if (!is_watched(project, ref.name)) continue;
    const std::string& commit = ref.peeled.empty() ? ref.id : ref.peeled;
    const auto before = known.find(ref.name);
    if (before != known.end() && before->second == commit) continue;
    changed.push_back({ref.name, before == known.end() ? "" : before->second, commit});
  }
  return changed;
}

struct ProjectWatch::Impl {
  Impl(Parts watch_parts, WatchOptions watch_options)
      : parts(std::move(watch_parts)), options(std::move(watch_options)), random(std::random_device{}()) {
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

  // ---- what

  struct Opened {
    ProjectRecord project;
    ProjectAccess access;
    std::map<std::string, std::string> heads;
    std::vector<storage::DeliveryRecord> deliveries;
  };

  std::optional<Opened> open(std::int64_t id) {
    std::optional<Opened> opened;
    parts.store.read([&](storage::Tx& tx) {
      opened.reset();
      const auto project = storage::Projects(tx).find(id);
      if (!project) return;
      opened.emplace();
      opened->project = *project;
      opened->access = open_access(tx, parts.sealer, *project, parts.data_dir);
      for (const auto& head : storage::RefHeads(tx).of_project(id)) opened->heads.emplace(head.ref, head.sha);
      for (std::int64_t after = 0;;) {
        auto page = storage::Deliveries(tx).pending(kDeliveries, after);
        if (page.empty()) break;
        after = page.back().id;
        for (auto& delivery : page) {
          if (delivery.project == id) opened->deliveries.push_back(std::move(delivery));
        }
      }
    });
    return opened;
  }

  /// False: the project is gone.
  bool look(std::int64_t id, std::string& error) noexcept {
    ++looks;
    std::string name = "project " + std::to_string(id);
    try {
      auto opened = open(id);
      if (!opened) return false;
      name = "project '" + opened->project.name + "'";
      if (opened->project.paused) return true;
      const std::size_t made = look_at(*opened);
      finish_deliveries(*opened, made);
    } catch (const std::exception& e) {
      if (stopping.stop_requested()) return true;
      ++failed_looks;
      error = name + ": " + e.what();
    }
    return true;
  }

  std::size_t look_at(Opened& opened) {
    const ProjectRecord& project = opened.project;
    const git::RemoteRefs remote = git::list_refs(opened.access.access, options.limits, stopping.get_token());
    const auto refs = changed_refs(project, remote, opened.heads);
    forget_gone(opened, remote);
    if (refs.empty()) return 0;
    auto mirror = git::Mirror::open(parts.maker.mirror_of(project));
    fetch(*mirror, opened.access.access);
    failpoint("watch.fetched");
    std::size_t made = 0;
    for (const ChangedRef& ref : refs) {
      Trigger trigger;
      trigger.ref = ref.ref;
      // What came with the fetch may be newer than what was asked for.
      trigger.sha = mirror->resolve(ref.ref);
      if (trigger.sha.empty()) continue;
      trigger.before = ref.before;
      trigger.started_by = "push";
      const Made one = parts.maker.make(parts.engine, project, *mirror, trigger);
      tell(project, trigger, one);
      if (!one.pipeline) continue;
      ++made;
      ++pipelines;
      if (!one.failed) supersede(project, ref.ref, *one.pipeline);
    }
    return made;
  }

  static void tell(const ProjectRecord& project, const Trigger& trigger, const Made& made) {
    const std::string what = project.name + ": " + trigger.ref + " is " + trigger.sha.substr(0, 8) + ": ";
    if (made.failed) {
      log_warn("watch", what + made.why);
    } else {
      log_info("watch", what + (made.pipeline ? "pipeline " + std::to_string(*made.pipeline) : made.why));
    }
  }

  void fetch(git::Mirror& mirror, const git::RemoteAccess& access) {
    git::FetchRequest request;
    request.access = access;
    request.limits = options.limits;
    request.stop = stopping.get_token();
    mirror.fetch(request);
    ++fetches;
  }

  void forget_gone(const Opened& opened, const git::RemoteRefs& remote) {
    std::vector<std::string> gone;
    for (const auto& [ref, sha] : opened.heads) {
      const auto there = std::any_of(remote.refs.begin(), remote.refs.end(),
                                     [&](const git::RemoteRef& one) { return one.name == ref; });
      if (!there) gone.push_back(ref);
    }
    if (gone.empty()) return;
    parts.store.write([&](storage::Tx& tx) {
      for (const std::string& ref : gone) storage::RefHeads(tx).remove(opened.project.id, ref);
    });
  }

  /// Older pipelines of the ref that still go on are told.
  void supersede(const ProjectRecord& project, const std::string& ref, std::int64_t newest) {
    std::vector<std::int64_t> older;
    const std::string name = ref.substr(ref.find('/', 5) + 1);
    parts.store.read([&](storage::Tx& tx) {
      older.clear();
      for (const auto& pipeline : storage::Pipelines(tx).unfinished()) {
        if (pipeline.project_id == project.id && pipeline.ref == name && pipeline.id < newest &&
            pipeline.source == "push")
          older.push_back(pipeline.id);
      }
    });
    for (const std::int64_t pipeline : older) parts.engine.supersede(pipeline);
  }

  void finish_deliveries(const Opened& opened, std::size_t made) {
    if (opened.deliveries.empty()) return;
    const std::string detail = made == 0 ? "nothing new" : "pipelines: " + std::to_string(made);
    parts.store.write([&](storage::Tx& tx) {
      for (const auto& delivery : opened.deliveries) {
        storage::Deliveries(tx).finish(
            delivery.id, made == 0 ? storage::DeliveryState::ignored : storage::DeliveryState::done, detail,
            parts.clock.now());
      }
    });
  }

  std::int64_t start_pipeline(const ProjectRecord& project, const std::string& ref, Trigger trigger) {
    ProjectAccess opened;
    parts.store.read(
        [&](storage::Tx& tx) { opened = open_access(tx, parts.sealer, project, parts.data_dir); });
    auto mirror = git::Mirror::open(parts.maker.mirror_of(project));
    fetch(*mirror, opened.access);
    std::vector<std::string> names;
    if (ref.empty()) {
      names = {std::string(kBranch) + mirror->default_branch()};
    } else if (ref.starts_with("refs/")) {
      names = {ref};
    } else {
      names = {std::string(kBranch) + ref, std::string(kTag) + ref};
    }
    for (const std::string& name : names) {
      trigger.sha = mirror->resolve(name);
      if (trigger.sha.empty()) continue;
      trigger.ref = name;
      trigger.asked = true;
      const Made made = parts.maker.make(parts.engine, project, *mirror, trigger);
      ++pipelines;
      return made.pipeline.value();
    }
    throw Error(ErrorCode::not_found, ref.empty()
                                          ? "the repository has no default branch; name one with --ref"
                                          : "there is no branch and no tag " + in_quotes(ref));
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

  const Parts parts;
  const WatchOptions options;
  std::stop_source stopping;
  mutable std::mutex mutex;
  std::condition_variable changed;
  std::mt19937 random;
  std::map<std::int64_t, Watched> watched;
  std::atomic<std::uint64_t> looks{0}, failed_looks{0}, fetches{0}, pipelines{0};
  std::vector<std::thread> threads;
};

ProjectWatch::ProjectWatch(Parts parts, WatchOptions options)
    : impl_(std::make_unique<Impl>(std::move(parts), std::move(options))) {}

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
  return impl_->start_pipeline(project, ref, std::move(trigger));
}

git::RemoteRefs ProjectWatch::ask(const ProjectRecord& project) {
  ProjectAccess opened;
  impl_->parts.store.read([&](storage::Tx& tx) {
    opened = open_access(tx, impl_->parts.sealer, project, impl_->parts.data_dir);
  });
  return git::list_refs(opened.access, impl_->options.limits, impl_->stopping.get_token());
}

std::map<std::int64_t, LookState> ProjectWatch::states() const {
  const std::lock_guard lock(impl_->mutex);
  std::map<std::int64_t, LookState> states;
  for (const auto& [id, one] : impl_->watched) states.emplace(id, one.state);
  return states;
}

WatchStats ProjectWatch::stats() const {
  return {impl_->looks, impl_->failed_looks, impl_->fetches, impl_->pipelines};
}

}  // namespace runner::daemon
