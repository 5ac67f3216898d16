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

void LocalLayerStore::recover() {
  with_reserve([&] {
    recover_drafts();
    recover_holders();
    recover_layers();
  });
  failpoint("layers.recovered");
  remove_trash(root_);
  index_->keep_reserve();
}

void LocalLayerStore::recover_drafts() {
  for (const std::string& name : names_in(root_ / kDrafts)) {
    const fs::path path = root_ / kDrafts / name;
    if (const UniqueFd lock = lock_leftover(path)) move_to_trash(root_, path);
    failpoint("layers.recover_draft");
  }
}

void LocalLayerStore::recover_holders() {
  const std::string own = leases_->holder();
  std::set<std::string> gone;
  for (const UseRow& use : index_->read().uses()) gone.insert(use.holder);
  std::vector<std::pair<fs::path, UniqueFd>> locks;
  for (const std::string& name : names_in(root_ / kHolders)) {
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
    IndexTx tx = index_->write();
    for (const std::string& holder : gone) {
      // One that was made since the list was read.
      if (!is_locked(root_ / kHolders / holder)) tx.drop_holder(holder);
    }
    tx.commit();
    failpoint("layers.recover_holder");
  }
  for (const auto& [path, lock] : locks) remove_link(path);
}

void LocalLayerStore::recover_layers() {
  // Whoever gives or takes names of layers does so in a transaction that writes, but for those who hold the
  // lock of what was their draft.
  IndexTx tx = index_->write();
  settle(tx);
  const std::map<std::int64_t, bool> live = live_uses(tx);
  std::map<std::string, LayerRow> by_name;
  std::set<std::string> places;
  for (LayerRow& row : tx.layers()) {
    places.insert(row.place);
    by_name.emplace(row.name, std::move(row));
  }
  for (const std::string& name : names_in(root_ / kNew)) {
    const fs::path path = root_ / kNew / name;
    const auto row = by_name.find(name);
    const bool is_place = row != by_name.end() && row->second.place == std::string(kNew) + "/" + name;
    if (!is_link(path)) {
      if (is_place) continue;
      if (const UniqueFd lock = lock_leftover(path)) move_to_trash(root_, path);
    } else if (is_place) {
      places.insert(target_of(root_, path));
    } else if (row == by_name.end() || !live.contains(row->second.layer.id)) {
      remove_link(path);
    }
    failpoint("layers.recover_new");
  }
  for (const std::string& shard : names_in(root_)) {
    if (!is_shard(shard)) continue;
    const std::vector<std::string> names = names_in(root_ / shard);
    for (const std::string& name : names) {
      const fs::path path = root_ / shard / name;
      if (is_link(path)) {
        remove_link(path);
      } else if (!places.contains(shard + "/" + name)) {
        move_to_trash(root_, path);
      }
      failpoint("layers.recover_hashed");
    }
    ::rmdir((root_ / shard).c_str());  // only when it is empty now
  }
  tx.commit();
}

}  // namespace runner::cache
