// GitLab (docs.gitlab.com/user/project/integrations/webhook_events). What happened is said in the body.

#include <array>

#include "runner/triggers/hint_parts.h"

namespace runner::triggers {
namespace {

constexpr std::array<std::string_view, 19> kPlaces = {
    "object_kind",
    "ref",
    "before",
    "after",
    "checkout_sha",
    "user_username",
    "user_name",
    "user.username",
    "user.name",
    "changes.target_branch.current",
    "object_attributes.iid",
    "object_attributes.action",
    "object_attributes.oldrev",
    "object_attributes.source_branch",
    "object_attributes.target_branch",
    "object_attributes.source_project_id",
    "object_attributes.target_project_id",
    "object_attributes.last_commit.id",
    "event_name",
};

MergeRequestHint::Action read_action(const PayloadPlace& root) {
  using Action = MergeRequestHint::Action;
  // Hooks that were sent to try them have none.
  const std::string action = root["object_attributes"]["action"].optional_text().value_or("");
  if (action == "open" || action == "reopen") return Action::opened;
  if (action == "merge") return Action::merged;
  if (action == "close") return Action::closed;
  // An update has "oldrev" when there are new commits; else it is about titles, labels and the like.
  const bool moved =
      root["object_attributes"]["oldrev"].exists() || root["changes"]["target_branch"].exists();
  return action == "update" && moved ? Action::updated : Action::other;
}

void read_merge_request(const PayloadPlace& root, Hint& hint) {
  const PayloadPlace request = root["object_attributes"];
  MergeRequestHint found;
  found.number = read_request_number(request["iid"]);
  found.action = read_action(root);
  found.source_branch = read_branch(request["source_branch"]);
  found.target_branch = read_branch(request["target_branch"]);
  found.from_fork = differ(request["source_project_id"], request["target_project_id"]);
  // Absent when the source branch has no commits of its own.
  hint.head_commit = read_commit_id(request["last_commit"]["id"]);
  hint.merge_request = std::move(found);
  hint.event = HintEvent::merge_request;
}

}  // namespace

void read_gitlab(std::string_view payload, Hint& hint) {
  const PayloadValue value = read_or_refuse(payload, kPlaces);
  const PayloadPlace root(value);
  // System hooks about projects and people have a name only.
  if (!root["object_kind"].exists() && !root["event_name"].exists()) root["object_kind"].refuse("no text");
  const std::string kind = root["object_kind"].optional_text().value_or("");
  if (kind == "push" || kind == "tag_push") {
    hint.head_commit = read_commit_id(root["checkout_sha"]);
    if (!root["before"].exists()) root["before"].refuse("no text");
    if (!root["after"].exists()) root["after"].refuse("no text");
    add_changes(hint, {read_change(read_ref(root["ref"]), root["before"], root["after"])});
  } else if (kind == "merge_request") {
    read_merge_request(root, hint);
  } else {
    return;
  }
  hint.user =
      read_user({root["user_username"], root["user"]["username"], root["user_name"], root["user"]["name"]});
}

}  // namespace runner::triggers
