// Bitbucket Cloud (support.atlassian.com/bitbucket-cloud/docs/event-payloads) and Bitbucket Data Center or
// Server (confluence.atlassian.com/bitbucketserver/event-payload-938025882.html): two programs, two shapes.

#include <algorithm>
#include <array>

#include "runner/triggers/delivery_headers.h"
#include "runner/triggers/hint_parts.h"

namespace runner::triggers {
namespace {

using Action = MergeRequestHint::Action;

constexpr std::array<std::string_view, 16> kCloudPlaces = {
    "actor.nickname",
    "actor.display_name",
    "push.changes[].new.type",
    "push.changes[].new.name",
    "push.changes[].new.target.hash",
    "push.changes[].old.type",
    "push.changes[].old.name",
    "push.changes[].old.target.hash",
    "pullrequest.id",
    "pullrequest.source.branch.name",
    "pullrequest.source.commit.hash",
    "pullrequest.source.repository.uuid",
    "pullrequest.destination.branch.name",
    "pullrequest.destination.repository.uuid",
    "pullrequest.source.repository.full_name",
    "pullrequest.destination.repository.full_name",
};

constexpr std::array<std::string_view, 13> kServerPlaces = {
    "eventKey",
    "actor.name",
    "actor.displayName",
    "changes[].ref.id",
    "changes[].fromHash",
    "changes[].toHash",
    "pullRequest.id",
    "pullRequest.fromRef.id",
    "pullRequest.fromRef.latestCommit",
    "pullRequest.fromRef.repository.id",
    "pullRequest.toRef.id",
    "pullRequest.toRef.latestCommit",
    "pullRequest.toRef.repository.id",
};

struct EventAction {
  std::string_view key;
  Action action;
};

// "updated" is also sent for a new title. The others are about reviews and comments.
constexpr std::array<EventAction, 4> kCloudActions = {{
    {"pullrequest:created", Action::opened},
    {"pullrequest:updated", Action::updated},
    {"pullrequest:fulfilled", Action::merged},
    {"pullrequest:rejected", Action::closed},
}};
constexpr std::array<EventAction, 7> kServerActions = {{
    {"pr:opened", Action::opened},
    {"pr:from_ref_updated", Action::updated},
    {"pr:to_ref_updated", Action::updated},
    {"pr:modified", Action::updated},
    {"pr:merged", Action::merged},
    {"pr:declined", Action::closed},
    {"pr:deleted", Action::closed},
}};

template <std::size_t Size>
const EventAction* find_action(const std::array<EventAction, Size>& actions, std::string_view key) {
  const auto found = std::ranges::find(actions, key, [](const EventAction& each) { return each.key; });
  return found == actions.end() ? nullptr : &*found;
}

std::string_view event_key(const Delivery& delivery) {
  return find_header(delivery, "x-event-key").value_or(std::string_view());
}

/// Branches and tags come with a kind and a short name.
std::string read_cloud_ref(const PayloadPlace& ref) {
  const std::string& type = ref["type"].text();
  std::string_view folder;
  if (type == "branch" || type == "named_branch") folder = "refs/heads/";
  if (type == "tag" || type == "annotated_tag") folder = "refs/tags/";
  if (folder.empty()) ref["type"].refuse("neither 'branch' nor 'tag'");
  return read_ref(ref["name"], folder);
}

RefChange read_cloud_change(const PayloadPlace& change) {
  const PayloadPlace was = change["old"];
  const PayloadPlace is = change["new"];
  if (!was.exists() && !is.exists()) change.refuse("a ref that neither was nor is");
  return read_change(read_cloud_ref(is.exists() ? is : was), was["target"]["hash"], is["target"]["hash"]);
}

/// Of Cloud the ids in merge requests are short: what cannot be looked up for sure is not handed on.
std::string read_cloud_commit(const PayloadPlace& place) {
  const auto text = place.optional_text();
  if (text && text->size() >= 7 && text->size() < 40 &&
      std::ranges::all_of(*text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }))
    return {};
  return read_commit_id(place);
}

bool from_cloud_fork(const PayloadPlace& request) {
  const PayloadPlace source = request["source"]["repository"];
  const PayloadPlace target = request["destination"]["repository"];
  const char* key = source["uuid"].exists() ? "uuid" : "full_name";
  return !source[key].exists() || source[key].text() != target[key].text();
}

/// "main" of "refs/heads/main".
std::string read_server_branch(const PayloadPlace& ref) {
  constexpr std::string_view kHeads = "refs/heads/";
  std::string name = read_ref(ref["id"]);
  if (!name.starts_with(kHeads)) ref["id"].refuse("no branch");
  return name.substr(kHeads.size());
}

}  // namespace

void read_bitbucket_cloud(const Delivery& delivery, std::string_view payload, Hint& hint) {
  const std::string_view key = event_key(delivery);
  const PayloadValue value = read_or_refuse(payload, kCloudPlaces);
  const PayloadPlace root(value);
  if (key == "repo:push") {
    std::vector<RefChange> changes;
    for (const PayloadPlace& change : root["push"]["changes"].items())
      changes.push_back(read_cloud_change(change));
    if (changes.empty()) root["push"]["changes"].refuse("no changes");
    add_changes(hint, std::move(changes));
  } else if (const EventAction* action = find_action(kCloudActions, key)) {
    const PayloadPlace request = root["pullrequest"];
    hint.merge_request = MergeRequestHint{
        read_request_number(request["id"]), action->action, read_branch(request["source"]["branch"]["name"]),
        read_branch(request["destination"]["branch"]["name"]), from_cloud_fork(request)};
    hint.head_commit = read_cloud_commit(request["source"]["commit"]["hash"]);
    hint.event = HintEvent::merge_request;
  } else {
    return;
  }
  hint.user = read_user({root["actor"]["nickname"], root["actor"]["display_name"]});
}

void read_bitbucket_server(const Delivery& delivery, std::string_view payload, Hint& hint) {
  const std::string_view key = event_key(delivery);
  const PayloadValue value = read_or_refuse(payload, kServerPlaces);
  const PayloadPlace root(value);
  if (key == "diagnostics:ping") {
    hint.event = HintEvent::ping;
    return;
  }
  // The header is not signed, the body is.
  if (root["eventKey"].exists() && root["eventKey"].text() != key)
    root["eventKey"].refuse("another event than the header 'x-event-key'");
  if (key == "repo:refs_changed") {
    std::vector<RefChange> changes;
    for (const PayloadPlace& change : root["changes"].items()) {
      changes.push_back(read_change(read_ref(change["ref"]["id"]), change["fromHash"], change["toHash"]));
    }
    if (changes.empty()) root["changes"].refuse("no changes");
    add_changes(hint, std::move(changes));
  } else if (const EventAction* action = find_action(kServerActions, key)) {
    const PayloadPlace request = root["pullRequest"];
    const PayloadPlace from = request["fromRef"];
    const PayloadPlace to = request["toRef"];
    hint.merge_request =
        MergeRequestHint{read_request_number(request["id"]), action->action, read_server_branch(from),
                         read_server_branch(to), differ(from["repository"]["id"], to["repository"]["id"])};
    hint.head_commit = read_commit_id(from["latestCommit"]);
    hint.event = HintEvent::merge_request;
  } else {
    return;
  }
  hint.user = read_user({root["actor"]["name"], root["actor"]["displayName"]});
}

}  // namespace runner::triggers
