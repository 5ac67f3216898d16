// cache and artifacts.

#include <algorithm>
#include <array>
#include <string>

#include "pipelines/document.h"
#include "pipelines/job_model.h"
#include "runner/base/duration.h"
#include "runner/base/text.h"

namespace runner::pipelines {
namespace {

constexpr std::array<std::string_view, 3> kSaveWhen = {"on_success", "on_failure", "always"};
constexpr std::array<std::string_view, 3> kPolicies = {"pull-push", "pull", "push"};
constexpr std::array<std::string_view, 4> kAccess = {"all", "developer", "maintainer", "none"};
constexpr std::array<std::string_view, 2> kCoverageFormats = {"cobertura", "jacoco"};

SaveWhen read_save_when(Shapes& in, std::string_view path, const Node& node) {
  const auto text = in.one_of(path, node, kSaveWhen);
  if (!text) return SaveWhen::on_success;
  return static_cast<SaveWhen>(std::find(kSaveWhen.begin(), kSaveWhen.end(), *text) - kSaveWhen.begin());
}

void check_key_text(Shapes& in, const Node& node, std::string_view text) {
  const bool dots = !text.empty() && text.find_first_not_of('.') == std::string_view::npos;
  const bool slash = text.find('/') != std::string_view::npos || text.find("%2F") != std::string_view::npos ||
                     text.find("%2f") != std::string_view::npos;
  if (slash) in.error("bad-cache-key", node.range(), "cache:key must not contain '/'");
  if (dots) in.error("bad-cache-key", node.range(), "cache:key must not consist of dots only");
}

void read_key_files(Shapes& in, const Node& map, CacheKey& key) {
  in.check_keys("cache:key", kCacheKeyKeys, map);
  const Node* files = in.get(kCacheKeyKeys, map, "files");
  const Node* commits = in.get(kCacheKeyKeys, map, "files_commits");
  if (files != nullptr && commits != nullptr)
    in.error("keys-exclude", map.range(), "cache:key cannot have both files and files_commits");
  const Node* chosen = files != nullptr ? files : commits;
  if (chosen == nullptr) {
    if (map.find("files") == nullptr && map.find("files_commits") == nullptr)
      in.error("missing-key", map.range(), "cache:key needs files or files_commits");
    return;
  }
  const std::string path = files != nullptr ? "cache:key:files" : "cache:key:files_commits";
  key.files = in.strings(path, *chosen);
  key.by_commit = files == nullptr;
  if (chosen->items().empty() || chosen->items().size() > 2)
    in.error("bad-value", chosen->range(),
             path + " must have one or two entries, got " + std::to_string(chosen->items().size()));
  if (const Node* prefix = in.get(kCacheKeyKeys, map, "prefix")) {
    key.prefix = in.with_inputs(prefix->text(), prefix->range());
    check_key_text(in, *prefix, key.prefix);
  }
}

std::optional<CacheSpec> read_one_cache(Shapes& in, const Node& node) {
  constexpr std::size_t kMaxFallbacks = 5;
  if (!node.is_map()) {
    in.wrong_type("cache", node, "a mapping");
    return std::nullopt;
  }
  in.check_keys("cache", kCacheKeys, node);
  CacheSpec cache;
  cache.key.text = "default";
  if (const Node* key = in.get(kCacheKeys, node, "key")) {
    if (key->is_map()) {
      read_key_files(in, *key, cache.key);
    } else {
      cache.key.text = in.with_inputs(key->text(), key->range());
      check_key_text(in, *key, cache.key.text);
    }
  }
  if (const Node* paths = in.get(kCacheKeys, node, "paths")) cache.paths = in.strings("cache:paths", *paths);
  if (const Node* untracked = in.get(kCacheKeys, node, "untracked")) cache.untracked = untracked->boolean();
  if (const Node* unprotect = in.get(kCacheKeys, node, "unprotect")) cache.unprotect = unprotect->boolean();
  if (const Node* when = in.get(kCacheKeys, node, "when"))
    cache.when = read_save_when(in, "cache:when", *when);
  if (const Node* policy = in.get(kCacheKeys, node, "policy")) {
    cache.policy = in.with_inputs(policy->text(), policy->range());
    if (cache.policy.find('$') == std::string::npos) in.one_of("cache:policy", *policy, kPolicies);
  }
  if (const Node* keys = in.get(kCacheKeys, node, "fallback_keys")) {
    cache.fallback_keys = in.strings("cache:fallback_keys", *keys);
    if (keys->items().size() > kMaxFallbacks)
      in.error("too-many-keys", keys->range(), "cache:fallback_keys: at most 5 are allowed");
  }
  return cache;
}

void read_reports(Shapes& in, const Node& map, ArtifactsSpec& artifacts) {
  for (const MapEntry& entry : map.entries()) {
    const std::string path = "artifacts:reports:" + std::string(entry.key);
    const Keyword* keyword = kReportKeys.find(entry.key);
    if (keyword == nullptr) {
      std::vector<std::string_view> names;
      for (const Keyword& known : kReportKeys.keywords) names.push_back(known.name);
      in.error("unknown-report", entry.key_range,
               "artifacts:reports has unknown type '" + std::string(entry.key) + "'",
               did_you_mean(entry.key, names));
      continue;
    }
    if (entry.value->is_null() || !in.check(path, *keyword, *entry.value)) continue;
    if (!entry.value->is_map()) {
      artifacts.reports[std::string(entry.key)] = in.strings(path, *entry.value);
      continue;
    }
    in.check_keys(path, kCoverageReportKeys, *entry.value);
    const Node* format = in.get(kCoverageReportKeys, *entry.value, "coverage_format");
    const Node* file = in.get(kCoverageReportKeys, *entry.value, "path");
    if (format == nullptr || file == nullptr) {
      in.error("missing-key", entry.key_range, path + " needs coverage_format and path");
    } else if (const auto text = in.one_of(path + ":coverage_format", *format, kCoverageFormats)) {
      artifacts.coverage_report = CoverageReport{*text, in.with_inputs(file->text(), file->range())};
    }
  }
}

void read_expiry(Shapes& in, const Node& node, ArtifactsSpec& artifacts) {
  if (to_lower(node.text()) == "never") {
    artifacts.never_expires = true;
  } else {
    artifacts.expire_in = read_duration(in, "artifacts:expire_in", node);
  }
}

void read_exposure(Shapes& in, const Node& node, ArtifactsSpec& artifacts) {
  artifacts.expose_as = node.text();
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == ' ';
  };
  const std::string& label = artifacts.expose_as;
  if (label.empty() || label.size() > 100 || label.front() == '-' || label.front() == ' ' ||
      !std::all_of(label.begin(), label.end(), allowed))
    in.error("bad-value", node.range(),
             "artifacts:expose_as may hold letters, digits, '_', '-' and blanks, at most 100 of them");
  if (artifacts.paths.empty())
    in.error("missing-key", node.range(), "artifacts:expose_as needs artifacts:paths");
  for (const std::string& path : artifacts.paths)
    if (path.find('*') != std::string::npos)
      in.error("bad-value", node.range(),
               "artifacts:expose_as cannot be used with '*' in paths: '" + path + "'");
}

}  // namespace

void read_cache(JobBuild& build, const MapEntry& entry) {
  constexpr std::size_t kMaxCaches = 4;
  const Node& node = *entry.value;
  build.job.job.caches.clear();
  if (node.is_map()) {
    if (node.entries().empty()) return;
    if (auto cache = read_one_cache(build.in, node)) build.job.job.caches.push_back(std::move(*cache));
    return;
  }
  Diagnostics nesting;
  const std::vector<const Node*> items = flatten(node, nesting);
  for (const Diagnostic& one : nesting.all()) build.in.error(one.id, one.where, "cache: " + one.message);
  if (items.size() > kMaxCaches)
    build.in.error("too-many-caches", node.range(), "cache: at most 4 caches per job");
  for (const Node* item : items)
    if (auto cache = read_one_cache(build.in, *item)) build.job.job.caches.push_back(std::move(*cache));
}

void read_artifacts(JobBuild& build, const MapEntry& entry) {
  Shapes& in = build.in;
  const Node& node = *entry.value;
  ArtifactsSpec artifacts;
  in.check_keys("artifacts", kArtifactKeys, node);
  const auto get = [&](std::string_view key) { return in.get(kArtifactKeys, node, key); };
  if (const Node* paths = get("paths")) artifacts.paths = in.strings("artifacts:paths", *paths);
  if (const Node* exclude = get("exclude")) artifacts.exclude = in.strings("artifacts:exclude", *exclude);
  if (const Node* untracked = get("untracked")) artifacts.untracked = untracked->boolean();
  if (const Node* name = get("name")) artifacts.name = in.with_inputs(name->text(), name->range());
  if (const Node* when = get("when")) artifacts.when = read_save_when(in, "artifacts:when", *when);
  if (const Node* expiry = get("expire_in")) read_expiry(in, *expiry, artifacts);
  if (const Node* label = get("expose_as")) read_exposure(in, *label, artifacts);
  if (const Node* open = get("public")) artifacts.access = open->boolean() ? "all" : "developer";
  if (const Node* access = get("access")) {
    if (get("public") != nullptr)
      in.error("keys-exclude", access->range(), "artifacts cannot have both public and access");
    artifacts.access = in.one_of("artifacts:access", *access, kAccess).value_or("");
  }
  if (const Node* reports = get("reports")) read_reports(in, *reports, artifacts);
  build.job.job.artifacts = std::move(artifacts);
}

}  // namespace runner::pipelines
