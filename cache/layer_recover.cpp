#include <sys/stat.h>
#include <unistd.h>

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

void remove_link(const fs::path& link) {
  if (::unlink(link.c_str()) != 0 && errno != ENOENT)
    throw_errno("cannot remove " + in_quotes(link.native()));
}

/// "ab/abcdef" when `link` in new/ leads there.
std::string target_of(const fs::path& root, const fs::path& link) {
  std::error_code error;
  const fs::path target = fs::read_symlink(link, error);
  if (error) return {};
  return (root / kNew / target).lexically_normal().lexically_relative(root).string();
}

}  // namespace

void LocalLayerStore::recover(const Background& background) {
  with_reserve([&] {
    recover_drafts(background);
    recover_holders(background);
    recover_layers(background);
    recover_marks();
  });
  failpoint("layers.recovered");
  remove_trash(root_, background);
  if (!background.is_stopped()) index_->keep_reserve();
}

void LocalLayerStore::recover_drafts(const Background& background) {
  for (const std::string& name : names_in(root_ / kDrafts)) {
    if (background.is_stopped()) return;
    const fs::path path = root_ / kDrafts / name;
    if (const UniqueFd lock = lock_leftover(path)) move_to_trash(root_, path);
    failpoint("layers.recover_draft");
  }
}

void LocalLayerStore::recover_holders(const Background& background) {
  const std::string own = leases_->holder();
  std::set<std::string> gone;
  for (const UseRow& use : index_->read().uses()) gone.insert(use.holder);
  std::vector<std::pair<fs::path, UniqueFd>> locks;
  for (const std::string& name : names_in(root_ / kHolders)) {
    if (background.is_stopped()) return;
    const fs::path path = root_ / kHolders / name;
    UniqueFd lock = name == own ? UniqueFd() : lock_leftover(path);
    if (!lock) {
      gone.erase(name);
      continue;
    }
    locks.emplace_back(path, std::move(lock));
  }
  gone.erase(own);
  if (!gone.empty()) {
    std::set<std::string> ours;  // dead for certain: their locks are here
    for (const auto& [path, lock] : locks) ours.insert(path.filename());
    IndexTx tx = index_->write();
    for (const std::string& holder : gone) {
      // One without a file may have been made since the list was read.
      if (ours.contains(holder) || !is_locked(root_ / kHolders / holder)) tx.drop_holder(holder);
    }
    tx.commit();
    failpoint("layers.recover_holder");
  }
  for (const auto& [path, lock] : locks) remove_link(path);
}

void LocalLayerStore::recover_marks() {
  if (leftover_marks(root_, boot_).empty()) return;
  IndexTx tx = index_->write();
  for (const fs::path& path : leftover_marks(root_, boot_)) {
    remove_link(path);
    failpoint("layers.recover_mark");
  }
  tx.commit();
}

/// What a name of a layer's directory is judged by.
struct LocalLayerStore::Known {
  std::map<std::string, LayerRow> by_name;
  std::set<std::string> places;
  std::map<std::int64_t, bool> live;
};

LocalLayerStore::Known LocalLayerStore::what_is_known(IndexTx& tx) {
  Known known;
  known.live = live_uses(tx);
  for (LayerRow& row : tx.layers()) {
    known.places.insert(row.place);
    // Killed while it got its digest.
    if (row.place.starts_with(kNew) && is_link(root_ / row.place))
      known.places.insert(target_of(root_, root_ / row.place));
    known.by_name.emplace(row.name, std::move(row));
  }
  return known;
}

LocalLayerStore::Leftover LocalLayerStore::judge(const Known& known, const std::string& folder,
                                                 const std::string& name) const {
  const bool link = is_link(root_ / folder / name);
  if (folder != kNew) {
    if (link) return Leftover::link;
    return known.places.contains(folder + "/" + name) ? Leftover::none : Leftover::tree;
  }
  const auto row = known.by_name.find(name);
  if (row != known.by_name.end() && row->second.place == folder + "/" + name) return Leftover::none;
  if (!link) return Leftover::tree;
  const bool may_be_known = row != known.by_name.end() && known.live.contains(row->second.layer.id);
  return may_be_known ? Leftover::none : Leftover::link;
}

void LocalLayerStore::recover_layers(const Background& background) {
  // Looking takes long when there are many, so it keeps nobody out; most of the time nothing is found.
  std::vector<std::pair<std::string, std::string>> found;  // folder, name; no name: the folder is empty
  {
    IndexTx tx = index_->read();
    const Known known = what_is_known(tx);
    tx.commit();
    for (const std::string& folder : names_in(root_)) {
      if (folder != kNew && !is_shard(folder)) continue;
      if (background.is_stopped()) return;
      const std::vector<std::string> names = names_in(root_ / folder);
      if (names.empty() && folder != kNew) found.emplace_back(folder, "");
      for (const std::string& name : names) {
        if (judge(known, folder, name) != Leftover::none) found.emplace_back(folder, name);
      }
    }
  }
  if (found.empty()) return;
  // Whoever gives or takes names of layers does so in a transaction that writes, but for those who hold the
  // lock of what was their draft. What is a leftover still is one then.
  IndexTx tx = index_->write();
  settle(tx);
  const Known known = what_is_known(tx);
  for (const auto& [folder, name] : found) {
    if (background.is_stopped()) break;
    if (!name.empty()) remove_leftover(known, folder, name);
    if (folder != kNew) ::rmdir((root_ / folder).c_str());  // only when it is empty now
  }
  tx.commit();
}

void LocalLayerStore::remove_leftover(const Known& known, const std::string& folder,
                                      const std::string& name) {
  const fs::path path = root_ / folder / name;
  switch (judge(known, folder, name)) {
    case Leftover::none:
      return;
    case Leftover::link:
      remove_link(path);
      break;
    case Leftover::tree: {
      const bool locked = folder == kNew;
      const UniqueFd lock = locked ? lock_leftover(path) : UniqueFd();
      if (lock || !locked) move_to_trash(root_, path);
      break;
    }
  }
  failpoint("layers.recover_layer");
}

}  // namespace runner::cache
