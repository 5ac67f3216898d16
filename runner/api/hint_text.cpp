#include "runner/api/hint_text.h"

#include "runner/api/json_output.h"

namespace runner::api {
namespace {

constexpr std::size_t kMostBytes = 256U << 10U;  // of refs

std::string_view name_of(triggers::MergeRequestHint::Action action) {
  using Action = triggers::MergeRequestHint::Action;
  switch (action) {
    case Action::opened:
      return "opened";
    case Action::updated:
      return "updated";
    case Action::merged:
      return "merged";
    case Action::closed:
      return "closed";
    case Action::other:
      break;
  }
  return "other";
}

std::string ref_json(const triggers::RefChange& change) {
  JsonObject json;
  json.text("ref", change.ref)
      .text("before", change.before)
      .text("after", change.after)
      .flag("created", change.created)
      .flag("deleted", change.deleted);
  return std::move(json).take();
}

std::string merge_request_json(const triggers::MergeRequestHint& request) {
  JsonObject json;
  json.number("number", request.number)
      .text("action", name_of(request.action))
      .text("source_branch", request.source_branch)
      .text("target_branch", request.target_branch)
      .flag("from_fork", request.from_fork);
  return std::move(json).take();
}

}  // namespace

std::string hint_text(const triggers::Hint& hint) {
  std::vector<std::string> refs;
  std::size_t bytes = 0;
  bool cut = false;
  for (const auto& change : hint.refs) {
    std::string json = ref_json(change);
    bytes += json.size();
    cut = bytes > kMostBytes;
    if (cut) break;
    refs.push_back(std::move(json));
  }
  JsonObject json;
  json.text("forge", to_string(hint.forge))
      .text("event", to_string(hint.event))
      .text("user", hint.user)
      .text("head", hint.head_commit)
      .raw("refs", json_list(refs))
      .flag("cut", cut)
      .raw("merge_request", hint.merge_request ? merge_request_json(*hint.merge_request) : "null");
  return std::move(json).take();
}

}  // namespace runner::api
