#include "runner/engine/job_caches.h"

#include <algorithm>
#include <set>
#include <utility>

#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::engine {
namespace {

using pipelines::SaveWhen;

bool fits(SaveWhen when, bool success) {
  return when == SaveWhen::always || (when == SaveWhen::on_success) == success;
}

std::string content(std::uint64_t files, std::uint64_t bytes) {
  return std::to_string(files) + (files == 1 ? " file, " : " files, ") + format_bytes(bytes);
}

}  // namespace

JobCaches::JobCaches(cache::CacheStore& store, std::string scope,
                     const std::vector<pipelines::CacheSpec>& specs, const JobEnvironment& environment,
                     const CacheKeyFacts& facts, const Clock& clock, JobLog& log)
    : store_(store), scope_(std::move(scope)), environment_(environment), clock_(clock), log_(log) {
  for (std::size_t i = 0; i < specs.size(); ++i) {
    if (specs[i].paths.empty() && !specs[i].untracked) continue;
    Entry& entry = entries_.emplace_back();
    entry.spec = &specs[i];
    entry.keys = cache_keys(specs[i], i, facts);
    entry.policy = environment.expand(specs[i].policy);
  }
}

std::vector<std::filesystem::path> JobCaches::restore() {
  if (entries_.empty()) return {};
  const LogSection section(log_, "restore_cache", "Restoring cache");
  std::vector<std::filesystem::path> layers;
  for (Entry& entry : entries_) {
    for (const std::string& notice : entry.keys.notices) log_.warning(notice);
    if (entry.policy != "pull" && entry.policy != "push" && entry.policy != "pull-push") {
      log_.warning("cache policy '" + entry.policy +
                   "' should be pull, push or pull-push; it is taken as pull-push");
      entry.policy = "pull-push";
    }
    if (entry.keys.key.empty()) continue;
    if (entry.policy == "push") {
      log_.line("Cache '" + entry.keys.key + "' is not restored: its policy is push");
      continue;
    }
    look_up(entry);
    if (entry.hit) layers.insert(layers.begin(), entry.hit->layers().begin(), entry.hit->layers().end());
  }
  return layers;
}

void JobCaches::look_up(Entry& entry) {
  cache::CacheLookup found;
  try {
    found = store_.find(scope_, entry.keys.lookup);
  } catch (const Error& e) {
    log_.warning("cache '" + entry.keys.key + "' cannot be restored: " + e.what());
    return;
  }
  for (const auto& [key, reason] : found.missed) {
    if (reason == cache::MissReason::damaged) {
      log_.warning("cache '" + key + "' is damaged and left aside");
    } else {
      log_.line("No cache '" + key + "': it was never saved");
    }
  }
  if (!found.hit) return;
  entry.hit = std::move(found.hit);
  const auto age = std::max(clock_.now() - entry.hit->saved_at(), std::chrono::milliseconds(0));
  log_.line("Cache '" + entry.hit->key() + "' found: " + content(entry.hit->files(), entry.hit->bytes()) +
            ", saved " + format_duration(age) + " ago");
}

void JobCaches::save(const LayeredTree& tree, const std::filesystem::path& upper, const SelectSpec& base,
                     const std::filesystem::path& scratch, bool success) {
  std::vector<Entry*> due;
  for (Entry& entry : entries_) {
    if (!entry.keys.key.empty() && fits(entry.spec->when, success)) due.push_back(&entry);
  }
  if (due.empty()) return;
  const LogSection section(log_, success ? "archive_cache" : "archive_cache_on_failure", "Saving cache");
  std::vector<Selection> selections;
  for (const Entry* entry : due) {
    SelectSpec spec = base;
    spec.paths = environment_.expand_paths(entry->spec->paths);
    spec.untracked = entry->spec->untracked;
    selections.push_back(entry->policy == "pull" ? Selection{} : select_files(tree, spec));
  }
  // A save may move files out of the workspace; those that a later cache wants as well must stay until then.
  std::set<std::string_view> wanted_later;
  std::vector<bool> shared(due.size(), false);
  for (std::size_t i = due.size(); i-- > 0;) {
    for (const TreeEntry& entry : selections[i].entries) {
      if (entry.type != EntryType::directory && !wanted_later.insert(entry.path).second) shared[i] = true;
    }
  }
  for (std::size_t i = 0; i < due.size(); ++i) {
    if (due[i]->policy == "pull") {
      log_.line("Cache '" + due[i]->keys.key + "' is not saved: its policy is pull");
    } else {
      store_one(*due[i], tree, selections[i], shared[i] ? scratch : upper);
    }
  }
}

void JobCaches::store_one(Entry& entry, const LayeredTree& tree, const Selection& selection,
                          const std::filesystem::path& upper) {
  const std::string& key = entry.keys.key;
  for (const std::string& pattern : selection.outside) {
    log_.warning("'" + pattern + "' lies outside of the project directory and is not cached");
  }
  for (const std::string& pattern : selection.without_match)
    log_.warning("no file matches '" + pattern + "'");
  const bool same_key = entry.hit && entry.hit->key() == key;
  const cache::CacheSave saved =
      store_.save(scope_, key, tree, selection, upper, same_key ? entry.hit.get() : nullptr);
  switch (saved.result) {
    case cache::CacheSave::Result::saved:
      log_.line("Cache '" + key + "' saved: " + content(saved.files, saved.bytes));
      break;
    case cache::CacheSave::Result::up_to_date:
      log_.line("Cache '" + key + "' is up to date");
      break;
    case cache::CacheSave::Result::nothing_matched:
      log_.warning("nothing to save in cache '" + key + "': no file matches");
      break;
  }
}

}  // namespace runner::engine
