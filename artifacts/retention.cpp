#include "artifacts/retention.h"

#include <map>
#include <set>
#include <tuple>

namespace runner::artifacts {
namespace {

using Job = std::tuple<std::string_view, std::string_view, std::string_view>;

Job job_of(const RetentionItem& item) {
  return {item.project, item.ref, item.job};
}

/// The oldest run of each project that is still among its newest `count`.
std::map<std::string_view, std::int64_t> first_runs_kept(std::span<const RetentionItem> items,
                                                         std::size_t count) {
  std::map<std::string_view, std::set<std::int64_t>> newest;
  for (const RetentionItem& item : items) {
    std::set<std::int64_t>& runs = newest[item.project];
    runs.insert(item.run);
    if (runs.size() > count) runs.erase(runs.begin());
  }
  std::map<std::string_view, std::int64_t> first;
  for (const auto& [project, runs] : newest) {
    if (!runs.empty()) first[project] = *runs.begin();
  }
  return first;
}

}  // namespace

Retention retention(std::span<const RetentionItem> items, TimePoint now, const RetentionPolicy& policy) {
  std::map<Job, std::int64_t> newest_success;
  for (const RetentionItem& item : items) {
    if (!item.success) continue;
    const auto [place, is_new] = newest_success.try_emplace(job_of(item), item.run);
    if (!is_new) place->second = std::max(place->second, item.run);
  }
  std::map<std::string_view, std::int64_t> first_run;
  if (policy.runs) first_run = first_runs_kept(items, *policy.runs);
  Retention result;
  for (const RetentionItem& item : items) {
    const auto newest = newest_success.find(job_of(item));
    const bool latest = item.success && newest->second == item.run;
    if (latest) result.latest.push_back(item.id);
    if (latest && policy.keep_latest) continue;
    const auto first = first_run.find(item.project);
    if (item.expires_at && *item.expires_at <= now) {
      result.expired.push_back(item.id);
    } else if (policy.runs && (first == first_run.end() || item.run < first->second)) {
      result.beyond.push_back(item.id);
    }
  }
  return result;
}

}  // namespace runner::artifacts
