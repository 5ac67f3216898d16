// GitHub (docs.github.com/webhooks/webhook-events-and-payloads), and Gitea and Forgejo, which send the same
// shape.

#include <array>

#include "runner/triggers/delivery_headers.h"
#include "runner/triggers/hint_parts.h"

namespace runner::triggers {
namespace {

constexpr std::array<std::string_view, 18> kPlaces = {
    "ref",
    "before",
    "after",
    "head_commit.id",
    "action",
    "number",
    "changes.base.ref",
    "pull_request.merged",
    "pull_request.head.ref",
    "pull_request.head.sha",
    "pull_request.head.repo.id",
    "pull_request.base.ref",
    "pull_request.base.repo.id",
    "pusher.login",
    "pusher.name",
    "pusher.username",
    "sender.login",
    "sender.username",
};

std::string_view event_header(Forge forge) {
  if (forge == Forge::forgejo) return "x-forgejo-event";
  return forge == Forge::gitea ? "x-gitea-event" : "x-github-event";
}

MergeRequestHint::Action read_action(const PayloadPlace& root) {
  using Action = MergeRequestHint::Action;
  const std::string& action = root["action"].text();
  if (action == "opened" || action == "reopened") return Action::opened;
  if (action == "synchronize" || action == "synchronized") return Action::updated;  // GitHub; Gitea
  if (action == "edited") return root["changes"]["base"].exists() ? Action::updated : Action::other;
  if (action == "closed")
    return root["pull_request"]["merged"].boolean_or(false) ? Action::merged : Action::closed;
  return Action::other;
}

void read_pull_request(const PayloadPlace& root, Hint& hint) {
  const PayloadPlace request = root["pull_request"];
  const PayloadPlace head = request["head"];
  const PayloadPlace base = request["base"];
  MergeRequestHint found;
  found.number = read_request_number(root["number"]);
  found.action = read_action(root);
  found.source_branch = read_branch(head["ref"]);
  found.target_branch = read_branch(base["ref"]);
  found.from_fork = differ(head["repo"]["id"], base["repo"]["id"]);
  hint.head_commit = read_commit_id(head["sha"]);
  if (hint.head_commit.empty()) head["sha"].refuse("no commit id");
  hint.merge_request = std::move(found);
  hint.event = HintEvent::merge_request;
}

}  // namespace

void read_github(const Delivery& delivery, std::string_view payload, Hint& hint) {
  const std::string_view event = find_header(delivery, event_header(hint.forge)).value_or(std::string_view());
  const PayloadValue value = read_or_refuse(payload, kPlaces);
  const PayloadPlace root(value);
  if (event == "push") {
    // Of a tag with a message `after` is the tag, and this the commit.
    hint.head_commit = read_commit_id(root["head_commit"]["id"]);
    if (!root["before"].exists()) root["before"].refuse("no text");
    if (!root["after"].exists()) root["after"].refuse("no text");
    add_changes(hint, {read_change(read_ref(root["ref"]), root["before"], root["after"])});
  } else if (event == "pull_request") {
    read_pull_request(root, hint);
  } else {
    hint.event = event == "ping" ? HintEvent::ping : HintEvent::other;
    return;
  }
  hint.user = read_user({root["sender"]["login"], root["sender"]["username"], root["pusher"]["login"],
                         root["pusher"]["username"], root["pusher"]["name"]});
}

}  // namespace runner::triggers
