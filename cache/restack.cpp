// Stacks of an entry made shorter, or free of what would hide something of others.
#include <algorithm>

#include "cache/caches.h"
#include "cache/layer_scan.h"
#include "cache/stack_cursor.h"
#include "cache/workspace.h"
#include "runner/base/error.h"
#include "runner/base/failpoint.h"
#include "runner/base/text.h"

namespace runner::cache {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kMaxDeltas = 8;
// Each try loses only against another process that has changed the entry meanwhile.
constexpr int kTries = 20;

std::vector<fs::path> trees_of(std::span<const Layer> layers) {
  std::vector<fs::path> trees;
  for (const Layer& layer : layers) trees.push_back(layer.tree);
  return trees;
}

/// Something the stack hides is there in what lies under it.
bool hides_others(const Entry& entry, StackCursor& under) {
  for (const Layer& layer : entry.layers) {
    std::vector<std::string> hides = layer.hides;
    std::sort(hides.begin(), hides.end());
    for (std::string& path : hides) {
      const bool content_only = path.ends_with('/');
      if (content_only) path.pop_back();
      const auto shown = under.find(path);
      if (!shown) continue;
      if (!content_only || (S_ISDIR(shown->info.st_mode) && under.has_content(path))) return true;
    }
  }
  return false;
}

/// The first `count` layers of the entry as one. False when the entry is another one by now.
bool make_one(LayerStore& store, const Entry& entry, std::size_t count, const Background& background = {}) {
  Draft draft = store.begin();
  const std::span<const Layer> all(entry.layers);
  const std::vector<fs::path> group = trees_of(all.first(count));
  const std::vector<fs::path> below = trees_of(all.subspan(count));
  failpoint("caches.squash-begun");
  background.do_slowly([&] {
    squash_layers(group, draft.tree(), below, background.stop);
    draft.content = scan_layer(draft.tree());
  });
  failpoint("caches.squashed");
  std::vector<std::int64_t> ids;
  for (const Layer& layer : all.subspan(count)) ids.push_back(layer.id);
  return store.restack(entry, std::move(draft), std::move(ids));
}

}  // namespace

std::vector<fs::path> workspace_layers(LayerStore& store, HeldEntry& entry, std::span<const fs::path> under) {
  StackCursor cursor(under);
  for (int tries = 0; hides_others(*entry, cursor); ++tries) {
    const std::string shown = in_quotes(entry->name.key);
    if (tries == kTries) throw Error(ErrorCode::unavailable, "cache " + shown + " changes all the time");
    make_one(store, *entry, entry->layers.size());
    HeldEntry now = store.peek(entry->name);
    if (!now) throw Error(ErrorCode::not_found, "cache " + shown + " was removed while it was restored");
    entry = std::move(now);
  }
  return trees_of(entry->layers);
}

void squash_entry(LayerStore& store, const Entry& entry, const Background& background) {
  if (entry.layers.size() < 2) return;
  const std::size_t deltas = entry.layers.size() - 1;
  std::uint64_t changed = 0;
  for (std::size_t i = 0; i < deltas; ++i) changed += entry.layers[i].files + entry.layers[i].hides.size();
  if (changed * 2 > entry.layers.back().files) {
    make_one(store, entry, entry.layers.size(), background);
  } else if (deltas > kMaxDeltas) {
    make_one(store, entry, deltas, background);
  }
}

}  // namespace runner::cache
