#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>

#include "cache/layer_files.h"
#include "cache/local_layer_store.h"
#include "runner/base/error.h"
#include "runner/base/failpoint.h"
#include "runner/base/text.h"

namespace runner::cache {
namespace fs = std::filesystem;
namespace {

constexpr std::chrono::hours kRemembered{90 * 24};
// Layers taken out in one transaction: others wait for its end.
constexpr std::size_t kAtOnce = 64;

/// What is left of a layer's users while entries are struck off.
struct Share {
  std::uint64_t disk = 0;
  std::uint64_t entries = 0;
  bool is_held = false;
};

Eviction make_eviction(const EntryRow& row, EvictionReason reason, std::string detail, TimePoint now) {
  return {row.entry.name, reason, std::move(detail), now, row.entry.saved_at, row.entry.used_at};
}

/// The layers of an entry, each once.
std::set<std::int64_t> layers_of(const EntryRow& row) {
  std::set<std::int64_t> ids;
  for (const LayerRow& layer : row.layers) ids.insert(layer.layer.id);
  return ids;
}

}  // namespace

struct LocalLayerStore::Plan {
  std::vector<EntryRow> entries;  // to be evicted; report.evicted says why
  std::vector<LayerRow> layers;   // to be removed
  CollectReport report;
};

std::map<std::int64_t, bool> LocalLayerStore::live_uses(IndexTx& tx) {
  std::map<std::string, bool> holders;
  const std::string own = leases_->holder();
  std::map<std::int64_t, bool> live;
  for (const UseRow& use : tx.uses()) {
    if (use.holder == own) {
      if (leases_->is_held_here(use.layer)) live[use.layer] = true;
      continue;
    }
    const auto [holder, is_new] = holders.try_emplace(use.holder, false);
    if (is_new) holder->second = is_locked(root_ / kHolders / use.holder);
    if (holder->second) live[use.layer] = true;
  }
  return live;
}

LocalLayerStore::Plan LocalLayerStore::make_plan(IndexTx& tx, const CollectPolicy& policy) {
  Plan plan;
  const TimePoint now = clock_.now();
  const std::map<std::int64_t, bool> live = live_uses(tx);
  const std::vector<LayerRow> layers = tx.layers();
  std::vector<EntryRow> entries = tx.entries({});
  std::map<std::int64_t, Share> shares;
  for (const LayerRow& row : layers) {
    shares[row.layer.id] = {row.layer.disk, 0, live.contains(row.layer.id)};
  }
  for (const EntryRow& row : entries) {
    for (const std::int64_t id : layers_of(row)) ++shares[id].entries;
  }
  std::uint64_t kept = 0;
  for (const auto& [id, share] : shares) {
    if (share.entries != 0 || share.is_held) kept += share.disk;
  }
  std::stable_sort(entries.begin(), entries.end(), [](const EntryRow& one, const EntryRow& other) {
    return one.entry.used_at < other.entry.used_at;
  });
  for (EntryRow& row : entries) {
    std::optional<Eviction> eviction;
    std::string damage = distrust(row);
    bool frees = false;
    bool is_held = false;
    for (const std::int64_t id : layers_of(row)) {
      const Share& share = shares[id];
      is_held = is_held || share.is_held;
      frees = frees || (share.entries == 1 && !share.is_held);
    }
    const bool allowed = !policy.only || row.entry.name.space == *policy.only;
    if (!damage.empty()) {
      eviction = make_eviction(row, EvictionReason::damaged, std::move(damage), now);
    } else if (allowed && policy.unused_for && !is_held && now - row.entry.used_at >= *policy.unused_for) {
      eviction = make_eviction(row, EvictionReason::unused,
                               "not used for " + format_duration(now - row.entry.used_at), now);
    } else if (allowed && policy.budget && kept > *policy.budget && (frees || !is_held)) {
      // What only waits for a job to end would free nothing now, and the job is about to use it again.
      eviction = make_eviction(
          row, EvictionReason::budget,
          "the layers took " + format_bytes(kept) + ", the limit is " + format_bytes(*policy.budget), now);
    }
    if (!eviction) continue;
    for (const std::int64_t id : layers_of(row)) {
      Share& share = shares[id];
      if (--share.entries == 0 && !share.is_held) kept -= share.disk;
    }
    plan.report.evicted.push_back(std::move(*eviction));
    plan.entries.push_back(std::move(row));
  }
  for (const LayerRow& row : layers) {
    const Share& share = shares[row.layer.id];
    if (share.entries == 0 && !share.is_held) {
      plan.report.bytes += share.disk;
      ++plan.report.layers;
      plan.layers.push_back(row);
    } else if (share.entries == 0) {
      plan.report.held_bytes += share.disk;
    }
  }
  plan.report.kept_bytes = kept;
  return plan;
}

CollectReport LocalLayerStore::collect(const CollectPolicy& policy, const Background& background) {
  if (policy.dry_run) {
    IndexTx tx = index_->read();
    return make_plan(tx, policy).report;
  }
  CollectReport report = with_reserve([&] { return evict_and_remove(policy, background); });
  if (report.layers != 0) index_->keep_reserve();
  return report;
}

CollectReport LocalLayerStore::evict_and_remove(const CollectPolicy& policy, const Background& background) {
  IndexTx tx = index_->write();
  settle(tx);
  Plan plan = make_plan(tx, policy);
  for (std::size_t i = 0; i < plan.entries.size(); ++i) {
    const Eviction& eviction = plan.report.evicted[i];
    tx.evict(plan.entries[i], eviction.reason, eviction.detail, eviction.at);
  }
  for (const LayerRow& row : plan.layers) tx.delete_layer(row.layer.id);
  tx.forget_evictions(clock_.now() - kRemembered);
  failpoint("layers.collect_commit");
  if (background.is_stopped()) return {};
  tx.commit();
  failpoint("layers.collected");
  // Without a row they are the next recover()'s, if this is stopped.
  const std::span<const LayerRow> layers(plan.layers);
  for (std::size_t first = 0; first < layers.size() && !background.is_stopped(); first += kAtOnce)
    remove_directories(layers.subspan(first, std::min(kAtOnce, layers.size() - first)));
  failpoint("layers.trash_ready");
  remove_trash(root_, background);
  return plan.report;
}

void LocalLayerStore::remove_directories(std::span<const LayerRow> layers) {
  // A transaction that writes keeps out whoever gives these names to something else: their digest may be used
  // again by now.
  IndexTx tx = index_->write();
  std::set<std::string> places;
  for (const LayerRow& row : tx.layers()) places.insert(row.place);
  for (const LayerRow& row : layers) {
    if (places.contains(row.place)) continue;
    const fs::path link = root_ / kNew / row.name;
    std::error_code ignored;
    if (is_link(link) && row.place == std::string(kNew) + "/" + row.name) {
      // Killed while it got its digest: the directory has its new name, the row did not.
      const fs::path target = (root_ / kNew / fs::read_symlink(link, ignored)).lexically_normal();
      const fs::path inside = target.lexically_relative(root_);
      if (!ignored && !places.contains(inside.string())) move_to_trash(root_, target);
    } else {
      move_to_trash(root_, root_ / row.place);
    }
    failpoint("layers.trashed");
    if (is_link(link) && ::unlink(link.c_str()) != 0 && errno != ENOENT) {
      throw_errno("cannot remove " + in_quotes(link.native()));
    }
  }
}

}  // namespace runner::cache
