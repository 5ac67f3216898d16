// stage, when, start_in, allow_failure, retry, timeout, interruptible, resource_group, tags, coverage ...

#include <algorithm>
#include <array>
#include <string>

#include "pipelines/job_model.h"
#include "pipelines/status.h"
#include "runner/base/duration.h"

namespace runner::pipelines {
namespace {

using namespace std::chrono_literals;
constexpr std::array<std::string_view, 6> kWhenNames = {"on_success", "on_failure", "always",
                                                        "manual",     "delayed",    "never"};
constexpr std::chrono::milliseconds kWeek = 24h * 7;
constexpr std::chrono::milliseconds kMonth = 24h * 31;

}  // namespace

std::string_view to_string(When when) noexcept {
  return kWhenNames[static_cast<std::size_t>(when)];
}

std::optional<When> parse_when(std::string_view text) noexcept {
  const auto found = std::find(kWhenNames.begin(), kWhenNames.end(), text);
  if (found == kWhenNames.end()) return std::nullopt;
  return static_cast<When>(found - kWhenNames.begin());
}

std::optional<std::chrono::milliseconds> read_duration(Shapes& in, std::string_view path, const Node& node) {
  const auto duration = parse_duration(node.text());
  if (!duration)
    in.error("bad-duration", node.range(),
             std::string(path) + " is not a duration: '" + std::string(node.text()) + "'",
             "such as '3h 30m', '2 days' or a number of seconds");
  return duration;
}

void read_stage(JobBuild& build, const MapEntry& entry) {
  build.job.job.stage = entry.value->text();
  build.job.stage_where = entry.value->range();
  build.job.has_stage = true;
}

void read_when(JobBuild& build, const MapEntry& entry) {
  const auto when = parse_when(entry.value->text());
  if (when == When::never) {
    build.in.error("bad-when", entry.value->range(), "when: never is only allowed in rules");
  } else if (when == When::delayed && build.job.job.trigger) {
    build.in.error("bad-when", entry.value->range(), "when: delayed is not allowed in a trigger job");
  } else if (when) {
    build.job.when = when;
  } else {
    constexpr std::span<const std::string_view> kAllowed(kWhenNames.data(), 5);
    build.in.error("bad-when", entry.value->range(),
                   "when: '" + std::string(entry.value->text()) + "' is not one of " + alternatives(kAllowed),
                   did_you_mean(entry.value->text(), kAllowed));
  }
}

void read_start_in(JobBuild& build, const MapEntry& entry) {
  const auto delay = read_duration(build.in, "start_in", *entry.value);
  if (delay && (*delay < 1s || *delay > kWeek)) {
    build.in.error("bad-duration", entry.value->range(), "start_in must be between 1 second and 1 week");
  } else {
    build.job.job.start_in = delay;
  }
}

std::optional<AllowFailure> read_allow_failure_value(Shapes& in, std::string_view path, const Node& node) {
  AllowFailure value;
  if (node.kind() == NodeKind::boolean) {
    value.always = node.boolean();
    return value;
  }
  if (!in.check_keys(path, kAllowFailureKeys, node)) return std::nullopt;
  const Node* codes = in.get(kAllowFailureKeys, node, "exit_codes");
  if (codes == nullptr) {
    in.error("missing-key", node.range(), std::string(path) + " needs exit_codes");
    return std::nullopt;
  }
  value.exit_codes = in.integers(std::string(path) + ":exit_codes", *codes);
  return value;
}

void read_allow_failure(JobBuild& build, const MapEntry& entry) {
  build.job.allow_failure = read_allow_failure_value(build.in, "allow_failure", *entry.value);
}

namespace {

int read_max(Shapes& in, std::string_view path, const Node& node) {
  if (node.integer() >= 0 && node.integer() <= 2) return static_cast<int>(node.integer());
  in.error("bad-value", node.range(),
           std::string(path) + " must be 0, 1 or 2, got " + std::string(node.text()));
  return 0;
}

}  // namespace

void read_retry(JobBuild& build, const MapEntry& entry) {
  Retry& retry = build.job.job.retry;
  const Node& node = *entry.value;
  retry.configured = true;
  if (!node.is_map()) {
    retry.max = read_max(build.in, "retry", node);
    return;
  }
  build.in.check_keys("retry", kRetryKeys, node);
  if (const Node* max = build.in.get(kRetryKeys, node, "max"))
    retry.max = read_max(build.in, "retry:max", *max);
  if (const Node* codes = build.in.get(kRetryKeys, node, "exit_codes"))
    retry.exit_codes = build.in.integers("retry:exit_codes", *codes);
  const Node* when = build.in.get(kRetryKeys, node, "when");
  if (when == nullptr) return;
  retry.when = build.in.strings("retry:when", *when);
  for (const std::string& reason : retry.when)
    if (!is_retry_condition(reason))
      build.in.error("bad-value", when->range(), "retry:when: '" + reason + "' is no failure reason",
                     did_you_mean(reason, retry_conditions()));
}

void read_timeout(JobBuild& build, const MapEntry& entry) {
  const auto timeout = read_duration(build.in, "timeout", *entry.value);
  if (timeout && *timeout > kMonth) {
    build.in.error("bad-duration", entry.value->range(), "timeout must be at most 1 month");
  } else {
    build.job.job.timeout = timeout;
  }
}

void read_interruptible(JobBuild& build, const MapEntry& entry) {
  build.job.job.interruptible = entry.value->boolean();
}

void read_resource_group(JobBuild& build, const MapEntry& entry) {
  const std::string_view text = entry.value->text();
  const bool characters = std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view(" -_/${}.").find(c) != std::string_view::npos;
  });
  if (text.empty() || !characters || text.front() == '/' || text.back() == '/') {
    build.in.error("bad-value", entry.value->range(),
                   "resource_group may hold letters, digits, blanks and '-_/${}.', and no '/' at its ends");
  } else {
    build.job.job.resource_group = text;
  }
}

void read_manual_confirmation(JobBuild& build, const MapEntry& entry) {
  build.job.job.manual_confirmation = entry.value->text();
}

void read_tags(JobBuild& build, const MapEntry& entry) {
  constexpr std::size_t kMaxTags = 49;
  build.job.job.tags = build.in.strings("tags", *entry.value);
  if (build.job.job.tags.size() > kMaxTags)
    build.in.error("too-many-tags", entry.value->range(), "tags: at most 49 are allowed");
}

void read_coverage(JobBuild& build, const MapEntry& entry) {
  SlashedPattern parts;
  const std::string_view text = entry.value->text();
  if (!split_slashed(text, parts) || !parts.flags.empty()) {
    build.in.error("bad-pattern", entry.value->range(),
                   "coverage is not a /regex/: '" + std::string(text) + "'");
    return;
  }
  std::string why;
  if (Regex::compile(parts.pattern, {}, why)) {
    build.job.job.coverage = parts.pattern;
  } else {
    build.in.error("bad-pattern", entry.value->range(), "coverage is not a /regex/: " + why);
  }
}

void read_inherit(JobBuild& build, const MapEntry& entry) {
  const Node& node = *entry.value;
  build.in.check_keys("inherit", kInheritKeys, node);
  if (const Node* chosen = build.in.get(kInheritKeys, node, "default");
      chosen != nullptr && chosen->is_list()) {
    std::vector<std::string_view> names;
    for (const Keyword& keyword : kDefaultKeys.keywords) names.push_back(keyword.name);
    for (const std::string& key : build.in.strings("inherit:default", *chosen))
      if (kDefaultKeys.find(key) == nullptr)
        build.in.error("unknown-key", chosen->range(), "inherit:default names the unknown key '" + key + "'",
                       did_you_mean(key, names));
  }
  const Node* chosen = build.in.get(kInheritKeys, node, "variables");
  if (chosen == nullptr) return;
  Inheritance& inherit = build.job.inherit_variables;
  if (chosen->is_list()) {
    inherit.everything = false;
    for (std::string& name : build.in.strings("inherit:variables", *chosen))
      inherit.names.insert(std::move(name));
  } else {
    inherit.everything = chosen->boolean();
  }
}

void read_nothing(JobBuild& /*build*/, const MapEntry& /*entry*/) {}

void read_not_yet(JobBuild& build, const MapEntry& entry) {
  build.job.job.unsupported = "'" + std::string(entry.key) + "' is not available in this version";
  build.job.has_script = true;
}

}  // namespace runner::pipelines
