#include "runner/daemon/repository_look.h"

#include <algorithm>
#include <utility>

#include "runner/base/error.h"
#include "runner/base/failpoint.h"
#include "runner/base/log.h"
#include "runner/base/text.h"
#include "runner/daemon/commit_facts.h"
#include "runner/storage/ref_table.h"
#include "runner/storage/tables.h"

namespace runner::daemon {
namespace {

using storage::ProjectRecord;

constexpr std::string_view kBranch = "refs/heads/", kTag = "refs/tags/";
constexpr std::size_t kDeliveries = 100;    // read at once
constexpr std::size_t kMergeRequests = 50;  // that get pipelines in one look
constexpr const char* kMergeRequest = "merge_request_event";

void tell(const ProjectRecord& project, const Trigger& trigger, const Made& made) {
  const std::string what = project.name + ": " + trigger.ref + " is " + trigger.sha.substr(0, 8) + ": ";
  if (made.failed) {
    log_warn("watch", what + made.why);
  } else {
    log_info("watch", what + (made.pipeline ? "pipeline " + std::to_string(*made.pipeline) : made.why));
  }
}

}  // namespace

ProjectAccess RepositoryLook::access_of(const ProjectRecord& project) {
  ProjectAccess opened;
  parts_.store.read(
      [&](storage::Tx& tx) { opened = open_access(tx, parts_.sealer, project, parts_.data_dir); });
  return opened;
}

git::RemoteRefs RepositoryLook::ask(const ProjectRecord& project) {
  return git::list_refs(access_of(project).access, limits_, stop_);
}

std::optional<RepositoryLook::Opened> RepositoryLook::open(std::int64_t id) {
  std::optional<Opened> opened;
  parts_.store.read([&](storage::Tx& tx) {
    opened.reset();
    const auto project = storage::Projects(tx).find(id);
    if (!project) return;
    opened.emplace();
    opened->project = *project;
    opened->access = open_access(tx, parts_.sealer, *project, parts_.data_dir);
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

bool RepositoryLook::look(std::int64_t id) {
  auto opened = open(id);
  if (!opened) return false;
  if (opened->project.paused) return true;
  finish_deliveries(*opened, look_at(*opened));
  return true;
}

std::size_t RepositoryLook::look_at(Opened& opened) {
  const ProjectRecord& project = opened.project;
  const git::RemoteRefs remote = git::list_refs(opened.access.access, limits_, stop_);
  const auto hints = request_hints(opened.deliveries);
  const SortedRefs refs =
      sort_requests(project, changed_refs(project, remote, opened.heads), remote, hints, kMergeRequests);
  std::vector<std::string> more = forget_gone(opened, remote);
  if (!refs.noted.empty() || project.merge_requests != project.merge_requests_noted)
    note(project, refs.noted);
  if (refs.wanted.empty() && more.empty()) return 0;
  for (const ChangedRef& ref : refs.wanted) {
    if (merge_request_of(project, ref.ref)) more.push_back(ref.ref);
  }
  auto mirror = git::Mirror::open(parts_.maker.mirror_of(project));
  fetch(*mirror, opened.access.access, more);
  failpoint("watch.fetched");
  std::size_t made = 0;
  for (const ChangedRef& ref : refs.wanted) made += make(project, *mirror, ref, hints) ? 1U : 0U;
  return made;
}

bool RepositoryLook::make(const ProjectRecord& project, git::Mirror& mirror, const ChangedRef& ref,
                          const std::map<std::int64_t, RequestHint>& hints) {
  Trigger trigger;
  trigger.ref = ref.ref;
  // What came with the fetch may be newer than what was asked for.
  trigger.sha = mirror.resolve(ref.ref);
  if (trigger.sha.empty()) return false;
  trigger.before = ref.before;
  trigger.started_by = "push";
  if (const auto number = merge_request_of(project, ref.ref)) {
    trigger.source = kMergeRequest;
    trigger.started_by = "merge request " + std::to_string(*number);
    trigger.merge_request = requests_.describe(project, mirror, *number, trigger.sha, hints);
    if (!trigger.merge_request) {  // it is closed
      note(project, {{ref.ref, ref.before, trigger.sha}});
      return false;
    }
  }
  const Made one = parts_.maker.make(parts_.engine, project, mirror, trigger);
  tell(project, trigger, one);
  if (!one.pipeline) return false;
  ++pipelines_;
  if (!one.failed) supersede(project, trigger, *one.pipeline);
  return true;
}

void RepositoryLook::fetch(git::Mirror& mirror, const git::RemoteAccess& access,
                           const std::vector<std::string>& more) {
  git::FetchRequest request;
  request.access = access;
  request.limits = limits_;
  request.stop = stop_;
  for (const std::string& ref : more) request.refspecs.push_back("+" + ref + ":" + ref);
  mirror.fetch(request);
  ++fetches_;
}

void RepositoryLook::note(const ProjectRecord& project, const std::vector<ChangedRef>& heads) {
  const TimePoint now = parts_.clock.now();
  parts_.store.write([&](storage::Tx& tx) {
    for (const ChangedRef& head : heads) storage::RefHeads(tx).upsert({project.id, head.ref, head.id, now});
    storage::Projects(tx).note_merge_requests(project.id);
  });
}

std::vector<std::string> RepositoryLook::forget_gone(const Opened& opened, const git::RemoteRefs& remote) {
  std::vector<std::string> gone, requests;
  const forge::ForgeKind kind = forge::place_of(opened.project).kind;
  for (const auto& head : opened.heads) {
    const bool request = forge::merge_request_number(kind, head.first).has_value();
    const auto found =
        std::lower_bound(remote.refs.begin(), remote.refs.end(), head.first,
                         [](const git::RemoteRef& one, const std::string& name) { return one.name < name; });
    const bool there = found != remote.refs.end() && found->name == head.first;
    // Those of a project that does not want them any more are as if they had never been there.
    if (there && (!request || opened.project.merge_requests)) continue;
    gone.push_back(head.first);
    if (request && !there) requests.push_back(head.first);
  }
  if (gone.empty()) return requests;
  parts_.store.write([&](storage::Tx& tx) {
    for (const std::string& ref : gone) storage::RefHeads(tx).remove(opened.project.id, ref);
  });
  return requests;
}

/// Older pipelines of the ref that still go on are told.
void RepositoryLook::supersede(const ProjectRecord& project, const Trigger& trigger, std::int64_t newest) {
  std::vector<std::int64_t> older;
  const std::string name = short_ref(trigger.ref);
  parts_.store.read([&](storage::Tx& tx) {
    older.clear();
    for (const auto& pipeline : storage::Pipelines(tx).unfinished()) {
      if (pipeline.project_id == project.id && pipeline.ref == name && pipeline.id < newest &&
          pipeline.source == trigger.source)
        older.push_back(pipeline.id);
    }
  });
  for (const std::int64_t pipeline : older) parts_.engine.supersede(pipeline);
}

void RepositoryLook::finish_deliveries(const Opened& opened, std::size_t made) {
  if (opened.deliveries.empty()) return;
  const std::string detail = made == 0 ? "nothing new" : "pipelines: " + std::to_string(made);
  parts_.store.write([&](storage::Tx& tx) {
    for (const auto& delivery : opened.deliveries) {
      storage::Deliveries(tx).finish(
          delivery.id, made == 0 ? storage::DeliveryState::ignored : storage::DeliveryState::done, detail,
          parts_.clock.now());
    }
  });
}

std::int64_t RepositoryLook::start_pipeline(const ProjectRecord& project, const std::string& ref,
                                            Trigger trigger) {
  trigger.asked = true;
  return make_of_ref(project, ref, std::move(trigger), {}).pipeline.value();
}

Made RepositoryLook::run_scheduled(const ProjectRecord& project, const std::string& ref, Trigger trigger,
                                   const Settle& settle) {
  trigger.scheduled = true;
  return make_of_ref(project, ref, std::move(trigger), settle);
}

/// "": the default branch; else a full name, or that of a branch or, when there is none, of a tag.
Made RepositoryLook::make_of_ref(const ProjectRecord& project, const std::string& ref, Trigger trigger,
                                 const Settle& settle) {
  const ProjectAccess opened = access_of(project);
  auto mirror = git::Mirror::open(parts_.maker.mirror_of(project));
  const auto request = merge_request_of(project, ref);
  fetch(*mirror, opened.access, request ? std::vector<std::string>{ref} : std::vector<std::string>());
  failpoint("look.fetched_ref");
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
    if (request) {
      trigger.source = kMergeRequest;
      trigger.merge_request = requests_.describe(project, *mirror, *request, trigger.sha, {});
      if (!trigger.merge_request)
        throw Error(ErrorCode::invalid_input,
                    "merge request " + std::to_string(*request) + " is closed; reopen it, or name a branch");
    }
    Made made = parts_.maker.make(parts_.engine, project, *mirror, trigger, settle);
    if (made.pipeline) ++pipelines_;
    return made;
  }
  throw Error(ErrorCode::not_found, ref.empty() ? "the repository has no default branch; name one with --ref"
                                                : "there is no branch and no tag " + in_quotes(ref));
}

}  // namespace runner::daemon
