#include "cache/layer_store.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <exception>

#include "cache/layer_files.h"
#include "cache/layer_scan.h"
#include "cache/local_layer_store.h"
#include "runner/base/error.h"
#include "runner/base/failpoint.h"
#include "runner/base/files.h"
#include "runner/base/log.h"
#include "runner/base/text.h"

namespace runner::cache {
namespace fs = std::filesystem;
namespace {

// A use is written once in this time; until then this process remembers it.
constexpr std::chrono::minutes kUseInterval{1};

std::vector<std::int64_t> ids_of(const std::vector<Layer>& layers) {
  std::vector<std::int64_t> ids;
  ids.reserve(layers.size());
  for (const Layer& layer : layers) ids.push_back(layer.id);
  return ids;
}

void refuse_hiding(const std::vector<std::string>& hides) {
  if (hides.empty()) return;
  throw Error(ErrorCode::invalid_input,
              "the lowest layer of a stack can hide nothing, and this one hides " + in_quotes(hides.front()));
}

struct HeldState {
  Entry entry;
  Leases::Hold hold;
};

}  // namespace

Draft::Draft(Draft&& other) noexcept
    : content(std::move(other.content)),
      directory_(std::exchange(other.directory_, {})),
      lock_(std::move(other.lock_)) {}

Draft& Draft::operator=(Draft&& other) noexcept {
  Draft replaced(std::move(other));
  std::swap(content, replaced.content);
  std::swap(directory_, replaced.directory_);
  std::swap(lock_, replaced.lock_);
  return *this;
}

Draft::~Draft() {
  if (directory_.empty()) return;
  try {
    remove_tree(directory_);
  } catch (const std::exception& error) {
    // Nobody locks it from here on, so recover() tries again.
    log_warn("cache", error.what());
  }
}

std::unique_ptr<LayerStore> LayerStore::open(const fs::path& root, const Clock& clock,
                                             const StoreOptions& options) {
  make_directories(root);
  std::error_code error;
  fs::path real = fs::canonical(root, error);
  if (error) throw Error(error, "cannot open the layer store " + in_quotes(root.native()));
  return std::make_unique<LocalLayerStore>(std::move(real), clock, options);
}

LocalLayerStore::LocalLayerStore(fs::path root, const Clock& clock, const StoreOptions& options)
    : root_(std::move(root)),
      clock_(clock),
      boot_(options.boot.empty() ? read_boot_id() : options.boot),
      pace_{options.sync_quiet, options.sync_interval},
      index_(std::make_shared<LayerIndex>(root_, boot_, clock)),
      leases_(std::make_shared<Leases>(root_, index_)) {}

LocalLayerStore::~LocalLayerStore() {
  if (uses_.empty()) return;
  try {
    IndexTx tx = index_->write();
    settle(tx);
    tx.commit();
  } catch (const std::exception& error) {
    log_warn("cache", std::string("uses of caches are not written down: ") + error.what());
  }
}

Draft LocalLayerStore::begin() {
  LockedPath made = make_locked_directory(root_ / kDrafts);
  Draft draft(std::move(made.path), std::move(made.lock));
  failpoint("layers.draft_locked");
  const fs::path tree = draft.tree();
  if (::mkdir(tree.c_str(), 0755) != 0 || ::chmod(tree.c_str(), 0755) != 0) {
    throw_errno("cannot make directory " + in_quotes(tree.native()));
  }
  failpoint("layers.draft_ready");
  return draft;
}

void LocalLayerStore::fill_content(std::optional<Draft>& top, bool is_lowest) const {
  if (!top) return;
  if (top->directory_.parent_path() != root_ / kDrafts) {
    throw Error(ErrorCode::internal, "the draft is not one of this store");
  }
  if (!top->content) top->content = scan_layer(top->tree());
  if (is_lowest) refuse_hiding(top->content->hides);
  failpoint("layers.scanned");
}

void LocalLayerStore::move_into_new(Draft& draft) const {
  const fs::path to = root_ / kNew / draft.directory_.filename();
  if (::rename(draft.directory_.c_str(), to.c_str()) != 0) {
    make_directories(root_ / kNew);
    if (::rename(draft.directory_.c_str(), to.c_str()) != 0) {
      throw_errno("cannot move a layer to " + in_quotes(to.native()));
    }
  }
  // From here on the draft removes it there, unless it is committed.
  draft.directory_ = to;
  failpoint("layers.renamed");
}

std::int64_t LocalLayerStore::add_draft(IndexTx& tx, Draft& draft) {
  return tx.add_layer(draft.directory_.filename(), *draft.content, boot_);
}

HeldEntry LocalLayerStore::make_held(Entry entry, Leases::Hold hold) {
  auto state = std::make_shared<HeldState>(HeldState{std::move(entry), std::move(hold)});
  return {state, &state->entry};
}

HeldEntry LocalLayerStore::commit(NewEntry entry, std::optional<Draft> top) {
  if (!top && entry.below.empty()) {
    throw Error(ErrorCode::invalid_input, "an entry needs a layer: " + in_quotes(entry.name.key));
  }
  fill_content(top, entry.below.empty());
  if (entry.below.empty() && entry.files == 0 && entry.bytes == 0) {
    entry.files = top->content->files;
    entry.bytes = top->content->bytes;
  }
  if (top) move_into_new(*top);
  IndexTx tx = index_->write();
  for (const std::int64_t id : entry.below) {
    const auto layer = tx.layer(id);
    if (!layer) throw Error(ErrorCode::not_found, "layer " + std::to_string(id) + " is not in the store");
    if (!top && id == entry.below.back()) refuse_hiding(layer->layer.hides);
  }
  std::vector<std::int64_t> stack = entry.below;
  if (top) stack.insert(stack.begin(), add_draft(tx, *top));
  const std::int64_t id = tx.put_entry(entry, clock_.now());
  tx.set_stack(id, stack);
  Leases::Hold hold = leases_->hold(tx, stack);
  settle(tx);
  std::optional<EntryRow> row = tx.entry(entry.name);
  if (!row) throw Error(ErrorCode::internal, "an entry is gone within its transaction");
  failpoint("layers.commit");
  tx.commit();
  leases_->confirm(hold);
  if (top) top->directory_.clear();  // a layer from here on; its lock goes with the draft
  failpoint("layers.committed");
  return make_held(std::move(row->entry), std::move(hold));
}

std::shared_ptr<const Layer> LocalLayerStore::make_held_layer(Layer layer, Leases::Hold hold) {
  Entry entry;
  entry.layers.push_back(std::move(layer));
  const HeldEntry held = make_held(std::move(entry), std::move(hold));
  return {held, &held->layers.front()};
}

std::shared_ptr<const Layer> LocalLayerStore::add(Draft draft) {
  std::optional<Draft> made(std::move(draft));
  fill_content(made, false);
  move_into_new(*made);
  IndexTx tx = index_->write();
  const std::int64_t id = add_draft(tx, *made);
  Leases::Hold hold = leases_->hold(tx, {&id, 1});
  settle(tx);
  std::optional<LayerRow> row = tx.layer(id);
  if (!row) throw Error(ErrorCode::internal, "a layer is gone within its transaction");
  failpoint("layers.add_commit");
  tx.commit();
  leases_->confirm(hold);
  made->directory_.clear();  // a layer from here on
  failpoint("layers.added");
  return make_held_layer(std::move(row->layer), std::move(hold));
}

std::string LocalLayerStore::distrust(const LayerRow& row) const {
  if (!row.boot.empty() && row.boot != boot_) return "the machine went down before it was written to disk";
  struct stat info {};
  if (::stat(row.layer.tree.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
    return "its directory " + in_quotes(row.layer.tree.native()) + " is gone";
  }
  return {};
}

std::string LocalLayerStore::distrust(const EntryRow& row) const {
  for (const LayerRow& layer : row.layers) {
    std::string why = distrust(layer);
    if (!why.empty()) return why;
  }
  return {};
}

void LocalLayerStore::settle(IndexTx& tx) {
  std::map<std::int64_t, Use> uses;
  {
    const std::lock_guard lock(uses_mutex_);
    uses.swap(uses_);
  }
  for (const auto& [entry, use] : uses) tx.note_uses(entry, use.count, use.at);
  leases_->drop_unused(tx);
}

HeldEntry LocalLayerStore::hold_in_memory(EntryRow& row, Noting noting, TimePoint now) {
  const bool was_used_now = row.entry.uses != 0 && now - row.entry.used_at < kUseInterval;
  if (noting == Noting::use && !was_used_now) return nullptr;
  Leases::Hold hold = leases_->try_hold(ids_of(row.entry.layers));
  if (!hold) return nullptr;
  if (noting == Noting::use) {
    const std::lock_guard lock(uses_mutex_);
    Use& use = uses_[row.id];
    ++use.count;
    use.at = std::max(use.at, now);
    row.entry.uses += use.count;
    row.entry.used_at = std::max(row.entry.used_at, use.at);
  }
  return make_held(std::move(row.entry), std::move(hold));
}

HeldEntry LocalLayerStore::look_up(const EntryName& name, Noting noting, std::string* why) {
  const auto check = [&](const std::optional<EntryRow>& row) {
    if (!row) return false;
    const std::string reason = distrust(*row);
    if (!reason.empty() && why != nullptr) *why = reason;
    return reason.empty();
  };
  std::optional<EntryRow> row = index_->read().entry(name);
  if (!check(row)) return nullptr;
  const TimePoint now = clock_.now();
  if (HeldEntry held = hold_in_memory(*row, noting, now)) return held;
  IndexTx tx = index_->write();
  row = tx.entry(name);  // it may have been replaced meanwhile, and another thread may have made our row
  if (!check(row)) return nullptr;
  if (HeldEntry held = hold_in_memory(*row, noting, now)) return held;
  Leases::Hold hold = leases_->hold(tx, ids_of(row->entry.layers));
  settle(tx);
  if (noting == Noting::use) {
    tx.note_uses(row->id, 1, now);
    row = tx.entry(name);
    if (!row) throw Error(ErrorCode::internal, "an entry is gone within its transaction");
  }
  failpoint("layers.find_commit");
  tx.commit();
  failpoint("layers.find_committed");
  leases_->confirm(hold);
  return make_held(std::move(row->entry), std::move(hold));
}

HeldEntry LocalLayerStore::find(const EntryName& name, std::string* why) {
  return look_up(name, Noting::use, why);
}

HeldEntry LocalLayerStore::peek(const EntryName& name, std::string* why) {
  return look_up(name, Noting::nothing, why);
}

std::vector<Entry> LocalLayerStore::list(const EntryFilter& filter) {
  std::vector<EntryRow> rows = index_->read().entries(filter);
  std::vector<Entry> entries;
  entries.reserve(rows.size());
  const std::lock_guard lock(uses_mutex_);
  for (EntryRow& row : rows) {
    if (const auto use = uses_.find(row.id); use != uses_.end()) {
      row.entry.uses += use->second.count;
      row.entry.used_at = std::max(row.entry.used_at, use->second.at);
    }
    entries.push_back(std::move(row.entry));
  }
  return entries;
}

std::optional<Entry> LocalLayerStore::newest_of_family(Space space, std::string_view scope,
                                                       std::string_view family) {
  auto row = index_->read().newest_of_family(space, scope, family);
  if (!row) return std::nullopt;
  return std::move(row->entry);
}

std::optional<Eviction> LocalLayerStore::eviction(const EntryName& name) {
  return index_->read().eviction(name);
}

bool LocalLayerStore::remove(const EntryName& name, EvictionReason reason, std::string_view detail) {
  return with_reserve([&] {
    IndexTx tx = index_->write();
    const auto row = tx.entry(name);
    if (!row) return false;
    settle(tx);
    tx.evict(*row, reason, detail, clock_.now());
    failpoint("layers.remove_commit");
    tx.commit();
    failpoint("layers.removed");
    return true;
  });
}

void LocalLayerStore::forget(const EntryName& name) {
  if (!index_->read().knows(name)) return;  // most often: no need to wait for other writers
  IndexTx tx = index_->write();
  if (tx.entry(name)) settle(tx);
  tx.forget(name);
  failpoint("layers.forget_commit");
  tx.commit();
}

bool LocalLayerStore::restack(const Entry& from, std::optional<Draft> top, std::vector<std::int64_t> below) {
  if (!top && below.empty()) throw Error(ErrorCode::invalid_input, "an entry needs a layer");
  fill_content(top, below.empty());
  if (top) move_into_new(*top);
  IndexTx tx = index_->write();
  const auto row = tx.entry(from.name);
  if (!row || ids_of(row->entry.layers) != ids_of(from.layers)) return false;
  for (const std::int64_t id : below) {
    const auto layer = tx.layer(id);
    if (!layer) return false;
    if (!top && id == below.back()) refuse_hiding(layer->layer.hides);
  }
  if (top) below.insert(below.begin(), add_draft(tx, *top));
  tx.set_stack(row->id, below);
  settle(tx);
  failpoint("layers.restack_commit");
  tx.commit();
  if (top) top->directory_.clear();
  failpoint("layers.restacked");
  return true;
}

std::shared_ptr<const Layer> LocalLayerStore::layer_by_digest(std::string_view digest) {
  IndexTx tx = index_->write();
  auto row = tx.layer_of_digest(digest);
  if (!row || !distrust(*row).empty()) return nullptr;
  const std::int64_t id = row->layer.id;
  Leases::Hold hold = leases_->hold(tx, {&id, 1});
  settle(tx);
  tx.commit();
  leases_->confirm(hold);
  return make_held_layer(std::move(row->layer), std::move(hold));
}

bool LocalLayerStore::owns(const fs::path& path) const {
  // Asked for each file of a save: no more than looking at the text.
  std::string_view text = path.native();
  const std::string& root = root_.native();
  std::string normal;
  if (text.find("/.") != std::string_view::npos || text.find("//") != std::string_view::npos) {
    normal = path.lexically_normal().native();
    text = normal;
  }
  if (!text.starts_with(root) || !text.substr(root.size()).starts_with('/')) return false;
  text.remove_prefix(root.size() + 1);
  const auto next = [&] {
    const std::string_view part = text.substr(0, text.find('/'));
    text.remove_prefix(std::min(text.size(), part.size() + 1));
    return part;
  };
  const std::string_view folder = next();
  if (folder != kNew && !is_shard(folder)) return false;
  return !next().empty() && next() == "tree";
}

}  // namespace runner::cache
