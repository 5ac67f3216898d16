#include "runner/engine/job_caches.h"

#include <algorithm>
#include <utility>

#include "runner/base/error.h"
#include "runner/base/text.h"
#include "runner/engine/knobs.h"
#include "runner/engine/patterns.h"

namespace runner::engine {
namespace {

using pipelines::SaveWhen;
using Result = cache::SavedCache::Result;

// Stacks are made short in the background; one that nobody has come to yet must still fit into a mount.
constexpr std::size_t kTallestStack = 24;

bool fits(SaveWhen when, bool success) {
  return when == SaveWhen::always || (when == SaveWhen::on_success) == success;
}

std::string content(std::uint64_t files, std::uint64_t bytes) {
  return format_count(files, "file") + ", " + format_bytes(bytes);
}

}  // namespace

JobCaches::JobCaches(cache::Caches& caches, std::string scope, const std::vector<pipelines::CacheSpec>& specs,
                     const JobEnvironment& environment, const CacheKeyFacts& facts, const Clock& clock,
                     JobLog& log)
    : caches_(caches), scope_(std::move(scope)), environment_(environment), clock_(clock), log_(log) {
  for (std::size_t i = 0; i < specs.size(); ++i) {
    if (specs[i].paths.empty() && !specs[i].untracked) continue;
    Entry& entry = entries_.emplace_back();
    entry.spec = &specs[i];
    entry.keys = cache_keys(specs[i], i, facts);
    entry.policy = environment.expand(specs[i].policy);
  }
}

std::vector<std::filesystem::path> JobCaches::restore(std::span<const std::filesystem::path> under) {
  if (entries_.empty()) return {};
  const LogSection section(log_, "restore_cache", "Restoring cache");
  std::vector<std::filesystem::path> layers;
  for (Entry& entry : entries_) {
    for (const std::string& notice : entry.keys.notices) log_.warning(notice);
    check_policy(entry);
    if (entry.keys.key.empty()) continue;
    if (entry.policy == "push") {
      log_.line("Cache '" + entry.keys.key + "' is not restored: its policy is push");
      continue;
    }
    look_up(entry);
    ++(entry.hit ? hits_ : misses_);
    if (!entry.hit) continue;
    std::vector<std::filesystem::path> below = layers;
    below.insert(below.end(), under.begin(), under.end());
    const std::vector<std::filesystem::path> own = layers_of(entry, below);
    layers.insert(layers.begin(), own.begin(), own.end());
  }
  return layers;
}

void JobCaches::check_policy(const Entry& entry) const {
  if (entry.policy == "pull" || entry.policy == "push" || entry.policy == "pull-push") return;
  throw Error(ErrorCode::invalid_input,
              "unknown cache policy '" + entry.policy + "': it should be pull, push or pull-push");
}

void JobCaches::look_up(Entry& entry) {
  cache::FoundCache found;
  for (int attempts = attempts_of(environment_.value("RESTORE_CACHE_ATTEMPTS")); attempts > 0; --attempts) {
    try {
      found = caches_.find(scope_, entry.keys.lookup, entry.keys.facts);
      break;
    } catch (const Error& e) {
      log_.warning("cache '" + entry.keys.key + "' cannot be restored: " + e.what());
    }
  }
  tell_misses(entry, found.missed);
  entry.hit = std::move(found.hit);
  if (entry.hit) tell_hit(entry);
}

void JobCaches::tell_misses(const Entry& entry, const std::vector<cache::CacheMiss>& missed) {
  for (const cache::CacheMiss& miss : missed) {
    const std::string what = "No cache '" + miss.key + "': ";
    switch (miss.reason) {
      case cache::Miss::never_saved:
        log_.line(what + (miss.detail.empty() ? "it was never saved" : miss.detail));
        break;
      case cache::Miss::key_changed:
        log_.line(what +
                  (miss.detail.empty() ? "its key has changed" : "its key has changed: " + miss.detail));
        break;
      case cache::Miss::evicted:
        log_.line(what + (miss.detail.empty() ? "it was removed" : miss.detail));
        break;
      case cache::Miss::damaged:
        log_.warning("cache '" + miss.key + "' is damaged and left aside" +
                     (miss.detail.empty() ? "" : ": " + miss.detail));
        break;
    }
  }
  if (missed.size() == entry.keys.lookup.size() && missed.size() > 1) log_.line("No fallback key either");
}

void JobCaches::tell_hit(const Entry& entry) {
  const cache::Entry& hit = *entry.hit;
  const auto age = std::max(clock_.now() - hit.saved_at, std::chrono::milliseconds(0));
  const bool own_key = hit.name.key == entry.keys.key;
  log_.line((own_key ? "Cache '" + hit.name.key + "' found: " : "Taking '" + hit.name.key + "' instead: ") +
            content(hit.files, hit.bytes) + ", saved " + format_duration(age) + " ago" +
            (hit.facts.origin.empty() ? "" : " by " + hit.facts.origin) + " (" +
            format_count(hit.layers.size(), "layer") + ")");
}

std::vector<std::filesystem::path> JobCaches::layers_of(Entry& entry,
                                                        std::span<const std::filesystem::path> under) {
  try {
    if (entry.hit->layers.size() > kTallestStack) {
      squash_entry(caches_.layers(), *entry.hit);
      if (cache::HeldEntry again = caches_.layers().peek(entry.hit->name)) entry.hit = std::move(again);
    }
    return workspace_layers(caches_.layers(), entry.hit, under);
  } catch (const Error& e) {
    log_.warning("cache '" + entry.hit->name.key + "' cannot be restored: " + e.what());
    entry.hit.reset();
    return {};
  }
}

bool JobCaches::is_due(const Entry& entry, bool success) const {
  return !entry.keys.key.empty() && fits(entry.spec->when, success);
}

std::vector<std::string> JobCaches::to_save(bool success) const {
  std::vector<std::string> patterns;
  for (const Entry& entry : entries_) {
    if (!is_due(entry, success) || entry.policy == "pull") continue;
    for (std::string& path : environment_.expand_paths(entry.spec->paths))
      patterns.push_back(std::move(path));
    if (entry.spec->untracked) patterns.emplace_back();
  }
  return patterns;
}

bool JobCaches::save(const TakenFrom& from, const std::function<std::string()>& origin, bool success) {
  std::vector<Entry*> due, not_due;
  for (Entry& entry : entries_) {
    if (!entry.keys.key.empty()) (is_due(entry, success) ? due : not_due).push_back(&entry);
  }
  if (due.empty() && not_due.empty()) return false;
  const LogSection section(log_, success ? "archive_cache" : "archive_cache_on_failure", "Saving cache");
  bool wrote = false;
  // From the last to the first, so that each knows what those after it want.
  std::vector<bool> may_move(due.size());
  std::vector<std::string> later;
  for (std::size_t i = due.size(); i-- > 0;) {
    if (due[i]->policy == "pull") continue;
    std::vector<std::string> own = environment_.expand_paths(due[i]->spec->paths);
    if (due[i]->spec->untracked) own.emplace_back();
    may_move[i] = !may_overlap(own, later, from.root);
    later.insert(later.end(), own.begin(), own.end());
  }
  for (std::size_t i = 0; i < due.size(); ++i) {
    const std::string& key = due[i]->keys.key;
    if (due[i]->policy == "pull") {
      log_.line("Cache '" + key + "' is not saved: its policy is pull");
      continue;
    }
    try {
      if (save_one(*due[i], from, origin(), may_move[i])) wrote = true;
    } catch (const Error& e) {
      log_.warning("cache '" + key + "' cannot be saved: " + e.what());
    }
  }
  for (const Entry* entry : not_due) {
    log_.line("Cache '" + entry->keys.key + "' is not saved: it is only when the job " +
              (success ? "fails" : "succeeds"));
  }
  return wrote;
}

bool JobCaches::save_one(Entry& entry, const TakenFrom& from, const std::string& origin, bool may_move) {
  const std::string& key = entry.keys.key;
  cache::CacheContent wanted;
  wanted.paths = environment_.expand_paths(entry.spec->paths);
  wanted.untracked = entry.spec->untracked;
  wanted.is_tracked = from.is_tracked;
  wanted.root = from.root;
  cache::EntryFacts facts = entry.keys.facts;
  facts.origin = origin;
  facts.contents = canonical_patterns(wanted.paths, from.root);
  if (wanted.untracked) facts.contents += "\nuntracked files";
  facts.contents = without_secrets(std::move(facts.contents), environment_.secrets());
  const cache::CacheSource source{
      from.layers.front(), {from.layers.begin() + 1, from.layers.end()}, may_move};
  const cache::SavedCache saved = caches_.save(scope_, key, facts, source, wanted, entry.hit);
  for (const std::string& pattern : saved.outside)
    log_.warning("'" + pattern + "' lies outside of the project directory and is not cached");
  for (const std::string& pattern : saved.without_match) log_.warning("no file matches '" + pattern + "'");
  switch (saved.result) {
    case Result::saved:
      if (!entry.hit) {
        log_.line("Cache '" + key + "' saved: " + content(saved.files, saved.bytes));
      } else {
        log_.line("Cache '" + key + "' saved: " + format_count(saved.changed, "file") + " changed, " +
                  format_count(saved.removed, "") + " removed (of " + content(saved.files, saved.bytes) +
                  ")");
      }
      return true;
    case Result::up_to_date:
      log_.line("Cache '" + key + "' is up to date: " + content(saved.files, saved.bytes));
      break;
    case Result::nothing_matched:
      log_.warning("nothing to save in cache '" + key + "': no file matches");
      break;
  }
  return false;
}

}  // namespace runner::engine
