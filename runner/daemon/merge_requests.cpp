#include "runner/daemon/merge_requests.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "runner/base/error.h"
#include "runner/base/log.h"
#include "runner/forge/forge.h"
#include "runner/forge/status_outbox.h"

namespace runner::daemon {
namespace {

using nlohmann::json;
using storage::ProjectRecord;

/// What the forge says; nullopt when there is nobody to ask, or no answer.
std::optional<forge::MergeRequestFacts> ask(const ProjectRecord& project, std::int64_t number,
                                            const storage::Store& store, const storage::Sealer& sealer,
                                            const std::stop_token& stop) {
  const forge::ForgePlace place = forge::place_of(project);
  if (place.kind == forge::ForgeKind::none) return std::nullopt;
  try {
    std::optional<storage::Secret> token;
    store.read([&](storage::Tx& tx) { token = forge::forge_token(tx, sealer, project, place); });
    if (!token) return std::nullopt;
    return forge::find_merge_request(place, number, token->text(), {}, stop);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::cancelled) throw;
    log_warn("watch", project.name + ": " + error.what());
    return std::nullopt;
  }
}

}  // namespace

std::map<std::int64_t, RequestHint> request_hints(const std::vector<storage::DeliveryRecord>& deliveries) {
  std::map<std::int64_t, RequestHint> hints;
  for (const storage::DeliveryRecord& delivery : deliveries) {
    const json said = json::parse(delivery.hint, nullptr, false);
    if (!said.is_object()) continue;
    const auto request = said.find("merge_request");
    if (request == said.end() || !request->is_object()) continue;
    try {
      RequestHint hint;
      const std::string action = request->at("action").get<std::string>();
      hint.opened = action == "opened" || action == "updated";
      hint.closed = action == "closed" || action == "merged";
      request->at("source_branch").get_to(hint.source_branch);
      request->at("target_branch").get_to(hint.target_branch);
      request->at("from_fork").get_to(hint.from_fork);
      hints[request->at("number").get<std::int64_t>()] = hint;
    } catch (const json::exception&) {
      continue;  // written by another program: the repository says what there is
    }
  }
  return hints;
}

SortedRefs sort_requests(const ProjectRecord& project, std::vector<ChangedRef> changed,
                         const git::RemoteRefs& remote, const std::map<std::int64_t, RequestHint>& hints,
                         std::size_t most) {
  SortedRefs sorted;
  const auto hint_of = [&](std::int64_t number) {
    const auto found = hints.find(number);
    return found == hints.end() ? RequestHint() : found->second;
  };
  const forge::ForgeKind kind = forge::place_of(project).kind;
  std::size_t requests = 0;
  for (ChangedRef& ref : changed) {
    const auto number = forge::merge_request_number(kind, ref.ref);
    if (!number) {
      sorted.wanted.push_back(std::move(ref));
      continue;
    }
    const RequestHint hint = hint_of(*number);
    if (hint.closed || (!project.merge_requests_noted && !hint.opened)) {
      sorted.noted.push_back(std::move(ref));
    } else if (++requests <= most) {
      sorted.wanted.push_back(std::move(ref));
    }
  }
  if (!project.merge_requests || hints.empty()) return sorted;
  // Those that a webhook tells of and that are as they were noted. That none runs twice is looked after where
  // pipelines are made.
  for (const git::RemoteRef& ref : remote.refs) {
    const auto number = forge::merge_request_number(kind, ref.name);
    if (!number || !hint_of(*number).opened) continue;
    const bool there = std::any_of(sorted.wanted.begin(), sorted.wanted.end(),
                                   [&](const ChangedRef& one) { return one.ref == ref.name; });
    if (!there) sorted.wanted.push_back({ref.name, ref.id, ref.id});
  }
  return sorted;
}

std::optional<MergeRequestTrigger> MergeRequests::describe(
    const ProjectRecord& project, const git::Mirror& mirror, std::int64_t number, const std::string& sha,
    const std::map<std::int64_t, RequestHint>& hints) const {
  MergeRequestTrigger trigger;
  trigger.number = number;
  bool from_fork = true;
  if (const auto facts = ask(project, number, store_, sealer_, stop_)) {
    if (!facts->open) return std::nullopt;
    trigger.source_branch = facts->source_branch;
    trigger.target_branch = facts->target_branch;
    trigger.title = facts->title;
    from_fork = facts->from_fork;
  } else if (const auto hint = hints.find(number); hint != hints.end()) {
    trigger.source_branch = hint->second.source_branch;
    trigger.target_branch = hint->second.target_branch;
    from_fork = hint->second.from_fork;
  }
  if (from_fork) trigger.source_branch.clear();
  if (trigger.target_branch.empty()) trigger.target_branch = mirror.default_branch();
  if (!trigger.target_branch.empty())
    trigger.base = mirror.merge_base(sha, mirror.resolve("refs/heads/" + trigger.target_branch));
  return trigger;
}

}  // namespace runner::daemon
