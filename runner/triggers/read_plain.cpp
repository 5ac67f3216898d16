// Our own form, which webhook.h describes. It is ours, so a key that nobody knows is a mistake and is
// refused.

#include <algorithm>
#include <array>

#include "runner/base/text.h"
#include "runner/triggers/hint_parts.h"

namespace runner::triggers {
namespace {

using Action = MergeRequestHint::Action;

constexpr std::array<std::string_view, 15> kPlaces = {
    "*",
    "id",
    "event",
    "user",
    "refs[].*",
    "refs[].ref",
    "refs[].before",
    "refs[].after",
    "merge_request.*",
    "merge_request.number",
    "merge_request.action",
    "merge_request.source_branch",
    "merge_request.target_branch",
    "merge_request.head",
    "merge_request.from_fork",
};

constexpr std::array<std::string_view, 5> kRootKeys = {"id", "event", "user", "refs", "merge_request"};
constexpr std::array<std::string_view, 3> kRefKeys = {"ref", "before", "after"};
constexpr std::array<std::string_view, 6> kRequestKeys = {"number",        "action", "source_branch",
                                                          "target_branch", "head",   "from_fork"};

constexpr std::array<std::pair<std::string_view, Action>, 4> kActions = {{
    {"opened", Action::opened},
    {"updated", Action::updated},
    {"merged", Action::merged},
    {"closed", Action::closed},
}};

void check_keys(const PayloadPlace& object, std::span<const std::string_view> known) {
  for (const std::string& key : object.keys()) {
    if (std::ranges::find(known, key) != known.end()) continue;
    const auto near = nearest(key.substr(0, 40), known);
    object.refuse("the unknown key " + in_quotes(display_text(key)) +
                  (near ? ", did you mean " + in_quotes(*near) + "?" : ""));
  }
}

RefChange read_plain_change(const PayloadPlace& item) {
  check_keys(item, kRefKeys);
  const PayloadPlace before = item["before"];
  const PayloadPlace after = item["after"];
  // Who says neither knows only that something happened.
  if (!before.exists() && !after.exists()) return {read_ref(item["ref"]), {}, {}};
  RefChange change = read_change(read_ref(item["ref"]), before, after);
  change.created = change.created && before.exists();
  change.deleted = change.deleted && after.exists();
  return change;
}

void read_plain_request(const PayloadPlace& request, Hint& hint) {
  check_keys(request, kRequestKeys);
  MergeRequestHint found;
  found.number = read_request_number(request["number"]);
  found.source_branch = read_branch(request["source_branch"]);
  found.target_branch = read_branch(request["target_branch"]);
  found.from_fork = request["from_fork"].boolean_or(false);
  found.action = Action::updated;
  if (const auto text = request["action"].optional_text()) {
    const auto known = std::ranges::find(kActions, *text, [](const auto& each) { return each.first; });
    if (known == kActions.end()) request["action"].refuse("neither opened, updated, merged nor closed");
    found.action = known->second;
  }
  hint.head_commit = read_commit_id(request["head"]);
  hint.merge_request = std::move(found);
  hint.event = HintEvent::merge_request;
}

}  // namespace

void read_plain(std::string_view payload, Hint& hint) {
  const PayloadValue value = read_or_refuse(payload, kPlaces);
  const PayloadPlace root(value);
  check_keys(root, kRootKeys);
  if (const auto id = root["id"].optional_text()) {
    if (!is_delivery_id(*id)) root["id"].refuse("no id of 1 to 200 characters without blanks");
    hint.delivery_id = *id;
  }
  hint.user = read_user({root["user"]});
  const std::string event = root["event"].optional_text().value_or("push");
  if (event != "push" && event != "merge_request" && event != "ping")
    root["event"].refuse("neither push, merge_request nor ping");
  if (event != "push" && root["refs"].exists()) root["refs"].refuse("refs, which belong to the event 'push'");
  if (event != "merge_request" && root["merge_request"].exists())
    root["merge_request"].refuse("a merge request, which belongs to the event 'merge_request'");
  if (event == "push") {
    std::vector<RefChange> changes;
    for (const PayloadPlace& item : root["refs"].items()) changes.push_back(read_plain_change(item));
    if (changes.empty()) root["refs"].refuse("no refs");
    add_changes(hint, std::move(changes));
  } else if (event == "merge_request") {
    read_plain_request(root["merge_request"], hint);
  } else {
    hint.event = HintEvent::ping;
  }
}

}  // namespace runner::triggers
