#include "runner/forge/merge_request.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "runner/base/error.h"
#include "runner/base/percent.h"
#include "runner/base/text.h"
#include "runner/forge/forge_api.h"

namespace runner::forge {
namespace {

using nlohmann::json;

constexpr std::size_t kLongestText = 1024;

std::optional<std::int64_t> number_between(std::string_view ref, std::string_view prefix) {
  constexpr std::string_view kEnd = "/head";
  if (!ref.starts_with(prefix) || !ref.ends_with(kEnd)) return std::nullopt;
  if (ref.size() <= prefix.size() + kEnd.size()) return std::nullopt;
  const std::string_view digits = ref.substr(prefix.size(), ref.size() - prefix.size() - kEnd.size());
  // One number has one name.
  if (digits[0] < '1' || digits[0] > '9') return std::nullopt;
  return parse_integer(digits);
}

/// What is below `names`, one in the other; null when it is not there.
const json& at(const json& value, std::initializer_list<const char*> names) {
  static const json nothing;
  const json* found = &value;
  for (const char* name : names) {
    if (!found->is_object()) return nothing;
    const auto member = found->find(name);
    if (member == found->end()) return nothing;
    found = &*member;
  }
  return *found;
}

/// One line, for variables; "" when it is none.
std::string text_of(const json& value) {
  if (!value.is_string()) return {};
  std::string text = value.get<std::string>();
  if (text.size() > kLongestText) text.resize(kLongestText);
  text = to_utf8(text);
  std::replace_if(
      text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; },
      ' ');
  return text;
}

std::string branch_of(const json& value) {
  std::string name = text_of(value);
  constexpr std::string_view kBranch = "refs/heads/";
  if (name.starts_with(kBranch)) name = name.substr(kBranch.size());
  const bool odd = name.find_first_of(" ~^:?*[\\") != std::string::npos || name.starts_with('-') ||
                   name.find("..") != std::string::npos;
  return odd ? std::string() : name;
}

bool are_one(const json& one, const json& other) {
  return one.is_number_integer() && other.is_number_integer() && one == other;
}

}  // namespace

std::optional<std::int64_t> merge_request_number(ForgeKind kind, std::string_view ref) {
  std::optional<std::int64_t> number;
  if (kind != ForgeKind::gitlab) number = number_between(ref, "refs/pull/");
  if (!number && (kind == ForgeKind::gitlab || kind == ForgeKind::none))
    number = number_between(ref, "refs/merge-requests/");
  return number;
}

ForgeRequest merge_request_request(const ForgePlace& place, std::int64_t number, std::string_view token) {
  ForgeRequest request;
  request.fields = request_fields(place.kind, token);
  const std::string id = std::to_string(number);
  request.url = place.kind == ForgeKind::gitlab
                    ? place.api + "/projects/" + percent_encode(place.repository) + "/merge_requests/" + id
                    : place.api + "/repos/" + encode_parts(place.repository) + "/pulls/" + id;
  return request;
}

std::optional<MergeRequestFacts> read_merge_request(ForgeKind kind, std::string_view text) {
  const json value = json::parse(text, nullptr, false);
  if (!value.is_object()) return std::nullopt;
  MergeRequestFacts facts;
  const std::string state = text_of(at(value, {"state"}));
  facts.title = text_of(at(value, {"title"}));
  if (kind == ForgeKind::gitlab) {
    facts.source_branch = branch_of(at(value, {"source_branch"}));
    facts.target_branch = branch_of(at(value, {"target_branch"}));
    facts.from_fork = !are_one(at(value, {"source_project_id"}), at(value, {"target_project_id"}));
    facts.open = state == "opened" || state == "locked";
  } else {
    facts.source_branch = branch_of(at(value, {"head", "ref"}));
    facts.target_branch = branch_of(at(value, {"base", "ref"}));
    facts.from_fork = !are_one(at(value, {"head", "repo", "id"}), at(value, {"base", "repo", "id"}));
    facts.open = state == "open";
  }
  if (facts.target_branch.empty()) return std::nullopt;
  return facts;
}

std::optional<MergeRequestFacts> find_merge_request(const ForgePlace& place, std::int64_t number,
                                                    std::string_view token, const ForgeLimits& limits,
                                                    const std::stop_token& stop) {
  const ForgeAnswer answer = ask_forge(merge_request_request(place, number, token), limits, stop);
  if (answer.status == 404) return std::nullopt;
  if (answer.status != 200) {
    throw Error(ErrorCode::unavailable, "cannot ask for merge request " + std::to_string(number) + ": " +
                                            judge(place, answer, token, TimePoint()).why);
  }
  auto facts = read_merge_request(place.kind, answer.body);
  if (!facts)
    throw Error(ErrorCode::unavailable, "cannot read what the forge says of merge request " +
                                            std::to_string(number) + "; check '--forge' and '--forge-api'");
  return facts;
}

}  // namespace runner::forge
