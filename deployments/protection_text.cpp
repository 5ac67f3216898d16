// Protection as JSON: what the configuration file, the API and the store have.

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "deployments/protection.h"
#include "runner/base/duration.h"
#include "runner/base/error.h"
#include "runner/base/text.h"
#include "runner/base/time_zone.h"

namespace runner::deployments {
namespace {

using nlohmann::json;
using std::chrono::milliseconds;

[[noreturn]] void refuse(const std::string& path, const std::string& problem) {
  throw Error(ErrorCode::invalid_input, path + ": " + problem);
}

void check_keys(const std::string& path, const json& map, std::initializer_list<std::string_view> keys) {
  if (!map.is_object()) refuse(path, "expected a mapping");
  for (const auto& [key, value] : map.items()) {
    if (std::find(keys.begin(), keys.end(), key) != keys.end()) continue;
    const std::vector<std::string_view> all(keys);
    const auto near = nearest(key, all);
    refuse(path.empty() ? key : path + ":" + key,
           "there is no such key" + (near ? "; did you mean '" + std::string(*near) + "'?" : std::string()));
  }
}

std::string text_of(const std::string& path, const json& value) {
  if (!value.is_string()) refuse(path, "expected a text");
  return value.get<std::string>();
}

bool flag_of(const std::string& path, const json& value) {
  if (!value.is_boolean()) refuse(path, "expected true or false");
  return value.get<bool>();
}

int count_of(const std::string& path, const json& value, int least) {
  if (!value.is_number_integer() || value.get<std::int64_t>() < least || value.get<std::int64_t>() > 100)
    refuse(path, "expected a number from " + std::to_string(least) + " to 100");
  return value.get<int>();
}

std::vector<std::string> texts_of(const std::string& path, const json& value) {
  if (value.is_string()) return {value.get<std::string>()};
  if (!value.is_array()) refuse(path, "expected a list of texts");
  std::vector<std::string> texts;
  for (const json& one : value) texts.push_back(text_of(path, one));
  return texts;
}

std::vector<Who> who_of(const std::string& path, const json& value) {
  std::vector<Who> who;
  for (const std::string& text : texts_of(path, value)) {
    const auto one = parse_who(text);
    if (!one)
      refuse(path, in_quotes(text) + " is nobody: write user:NAME, role:NAME, group:NAME or permission:NAME");
    who.push_back(*one);
  }
  return who;
}

milliseconds time_of(const std::string& path, const json& value) {
  const std::string text =
      value.is_number_integer() ? std::to_string(value.get<std::int64_t>()) + " s" : text_of(path, value);
  if (text == "0" || text == "0s" || text == "0 s") return milliseconds(0);
  const auto time = parse_duration(text);
  if (!time) refuse(path, in_quotes(text) + " is no duration: write it like 24h or '30 minutes'");
  return *time;
}

void read_rules(const json& rules, Protection& protection) {
  if (!rules.is_array()) refuse("approvals:rules", "expected a list of rules");
  for (const json& rule : rules) {
    const std::string path = "approvals:rules";
    check_keys(path, rule, {"name", "count", "who"});
    ApprovalRule one;
    if (!rule.contains("who")) refuse(path, "a rule needs `who`: the people that count for it");
    one.who = who_of(path + ":who", rule["who"]);
    if (one.who.empty()) refuse(path + ":who", "nobody could ever agree");
    if (rule.contains("count")) one.count = count_of(path + ":count", rule["count"], 1);
    one.name = rule.contains("name") ? text_of(path + ":name", rule["name"]) : to_string(one.who.front());
    protection.rules.push_back(std::move(one));
  }
}

void read_approvals(const json& map, Protection& protection) {
  check_keys("approvals", map,
             {"rules", "self_approval", "exclude_commit_authors", "expires_after", "reapprove_after", "start",
              "break_glass"});
  if (map.contains("rules")) read_rules(map["rules"], protection);
  if (map.contains("self_approval"))
    protection.self_approval = flag_of("approvals:self_approval", map["self_approval"]);
  if (map.contains("exclude_commit_authors"))
    protection.exclude_commit_authors =
        flag_of("approvals:exclude_commit_authors", map["exclude_commit_authors"]);
  if (map.contains("expires_after"))
    protection.expires_after = time_of("approvals:expires_after", map["expires_after"]);
  if (map.contains("reapprove_after"))
    protection.reapprove_after = time_of("approvals:reapprove_after", map["reapprove_after"]);
  if (map.contains("start")) {
    const std::string start = text_of("approvals:start", map["start"]);
    if (start != "auto" && start != "manual") refuse("approvals:start", "expected auto or manual");
    protection.start_by_hand = start == "manual";
  }
  if (map.contains("break_glass")) {
    const json& glass = map["break_glass"];
    check_keys("approvals:break_glass", glass, {"who", "reason"});
    if (glass.contains("reason") && glass["reason"] != "required")
      refuse("approvals:break_glass:reason", "it is always required");
    if (glass.contains("who")) protection.break_glass = who_of("approvals:break_glass:who", glass["who"]);
  }
}

void read_freeze(const json& windows, Protection& protection) {
  if (!windows.is_array()) refuse("freeze", "expected a list of windows");
  for (const json& window : windows) {
    check_keys("freeze", window, {"from", "to", "tz"});
    if (!window.contains("from") || !window.contains("to")) refuse("freeze", "a window needs from and to");
    FreezeWindow one{text_of("freeze:from", window["from"]), text_of("freeze:to", window["to"]), "UTC"};
    if (window.contains("tz")) one.zone = text_of("freeze:tz", window["tz"]);
    protection.freeze.push_back(std::move(one));
  }
  // All of it can be read: nobody is to find out when something waits.
  frozen_until(protection.freeze, TimePoint{});
}

json texts(const std::vector<Who>& who) {
  json list = json::array();
  for (const Who& one : who) list.push_back(to_string(one));
  return list;
}

json seconds(milliseconds time) {
  return std::to_string(time.count() / 1000) + "s";
}

}  // namespace

Protection parse_protection(std::string_view text) {
  Protection protection;
  if (text.empty()) return protection;
  const json map = json::parse(text, nullptr, false);
  if (map.is_discarded()) refuse("protection", "it is no JSON");
  check_keys(
      "", map,
      {"refs", "deployers", "approvals", "rollback", "queue", "refuse_older", "freeze", "wait", "secrets"});
  if (map.contains("refs")) protection.refs = texts_of("refs", map["refs"]);
  if (map.contains("deployers")) protection.deployers = who_of("deployers", map["deployers"]);
  if (map.contains("approvals")) read_approvals(map["approvals"], protection);
  if (map.contains("rollback")) {
    check_keys("rollback", map["rollback"], {"who", "approvals"});
    if (map["rollback"].contains("who")) protection.rollback = who_of("rollback:who", map["rollback"]["who"]);
    if (map["rollback"].contains("approvals"))
      protection.rollback_approvals = count_of("rollback:approvals", map["rollback"]["approvals"], 0);
  }
  if (map.contains("queue")) {
    const std::string queue = text_of("queue", map["queue"]);
    if (queue == "latest")
      protection.queue = QueueMode::latest;
    else if (queue == "fifo")
      protection.queue = QueueMode::fifo;
    else if (queue == "manual")
      protection.queue = QueueMode::manual;
    else
      refuse("queue", "expected latest, fifo or manual");
  }
  if (map.contains("refuse_older")) protection.refuse_older = flag_of("refuse_older", map["refuse_older"]);
  if (map.contains("freeze")) read_freeze(map["freeze"], protection);
  if (map.contains("wait")) protection.wait = time_of("wait", map["wait"]);
  if (map.contains("secrets")) protection.secrets = text_of("secrets", map["secrets"]);
  if (protection.rollback_approvals > 0 && protection.rules.empty())
    refuse("rollback:approvals", "there are no approval rules that say whose");
  return protection;
}

std::string protection_text(const Protection& protection) {
  json map = json::object();
  if (!protection.refs.empty()) map["refs"] = protection.refs;
  if (!protection.deployers.empty()) map["deployers"] = texts(protection.deployers);
  json approvals = json::object();
  for (const ApprovalRule& rule : protection.rules)
    approvals["rules"].push_back({{"name", rule.name}, {"count", rule.count}, {"who", texts(rule.who)}});
  if (protection.self_approval) approvals["self_approval"] = true;
  if (protection.exclude_commit_authors) approvals["exclude_commit_authors"] = true;
  if (protection.expires_after.count() > 0) approvals["expires_after"] = seconds(protection.expires_after);
  if (protection.reapprove_after.count() > 0)
    approvals["reapprove_after"] = seconds(protection.reapprove_after);
  if (protection.start_by_hand) approvals["start"] = "manual";
  if (!protection.break_glass.empty()) approvals["break_glass"] = {{"who", texts(protection.break_glass)}};
  if (!approvals.empty()) map["approvals"] = std::move(approvals);
  json rollback = json::object();
  if (!protection.rollback.empty()) rollback["who"] = texts(protection.rollback);
  if (protection.rollback_approvals > 0) rollback["approvals"] = protection.rollback_approvals;
  if (!rollback.empty()) map["rollback"] = std::move(rollback);
  if (protection.queue != QueueMode::latest)
    map["queue"] = protection.queue == QueueMode::fifo ? "fifo" : "manual";
  if (!protection.refuse_older) map["refuse_older"] = false;
  for (const FreezeWindow& window : protection.freeze)
    map["freeze"].push_back({{"from", window.from}, {"to", window.to}, {"tz", window.zone}});
  if (protection.wait.count() > 0) map["wait"] = seconds(protection.wait);
  if (!protection.secrets.empty()) map["secrets"] = protection.secrets;
  return map.dump();
}

}  // namespace runner::deployments
