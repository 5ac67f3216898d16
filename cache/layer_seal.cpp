#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "cache/layer_files.h"
#include "cache/layer_pack.h"
#include "cache/layer_scan.h"
#include "cache/layer_sync.h"
#include "cache/local_layer_store.h"
#include "runner/base/error.h"
#include "runner/base/failpoint.h"
#include "runner/base/files.h"
#include "runner/base/log.h"
#include "runner/base/text.h"

namespace runner::cache {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kAlgorithm = "sha256:";

std::string place_of(const std::string& digest) {
  const std::string hex = digest.substr(kAlgorithm.size());
  return hex.substr(0, 2) + "/" + hex;
}

}  // namespace

bool LocalLayerStore::seal_one(const Background& background) {
  std::int64_t last = 0;
  for (;;) {
    if (background.is_stopped()) return false;
    const std::optional<LayerRow> row = index_->read().next_unsealed(last);
    if (!row) return false;
    last = row->layer.id;
    if (!distrust(*row).empty()) continue;
    try {
      if (seal(*row, background) == SealStep::sealed) return true;
    } catch (const Error& error) {
      if (error.code() == ErrorCode::cancelled) return false;
      // One that cannot be read must not keep the others from being hashed.
      if (error.code() == ErrorCode::unavailable) throw;
      log_warn("cache", "cannot hash layer " + in_quotes(row->place) + ": " + error.what());
    }
  }
}

LocalLayerStore::SealStep LocalLayerStore::seal(const LayerRow& row, const Background& background) {
  const std::int64_t id = row.layer.id;
  const Leases::Hold hold = hold_layer(id);  // its directory must not go while it is read
  if (!hold) return SealStep::skipped;
  std::string digest;
  background.do_slowly([&] { digest = layer_digest(row.layer.tree, background.stop); });
  const std::string place = place_of(digest);
  failpoint("layers.hashed");
  IndexTx tx = index_->write();
  const std::optional<LayerRow> now = tx.layer(id);
  if (!now || !now->layer.digest.empty() || now->twin) return SealStep::sealed;  // by somebody else
  std::optional<LayerRow> other = tx.layer_of_digest(digest);
  if (!other) {
    other = half_sealed(tx, place);
    if (other && other->layer.id == id) other.reset();
    if (other) tx.seal(other->layer.id, digest, place);
  }
  if (other) {
    // When the other is damaged, collect() takes it out, and this one gets the name then.
    if (!distrust(*other).empty()) return SealStep::skipped;
    tx.replace_by_twin(id, other->layer.id);
  } else {
    place_by_digest(*now, place);
    tx.seal(id, digest, is_directory_itself(root_ / place) ? place : now->place);
  }
  failpoint("layers.seal_commit");
  tx.commit();
  failpoint("layers.sealed");
  return SealStep::sealed;
}

Leases::Hold LocalLayerStore::hold_layer(std::int64_t id) {
  if (Leases::Hold hold = leases_->try_hold({&id, 1})) return hold;
  IndexTx tx = index_->write();
  if (!tx.layer(id)) return {};
  Leases::Hold hold = leases_->hold(tx, {&id, 1});
  settle(tx);
  tx.commit();
  leases_->confirm(hold);
  return hold;
}

std::optional<LayerRow> LocalLayerStore::half_sealed(IndexTx& tx, const std::string& place) const {
  if (!is_directory_itself(root_ / place)) return std::nullopt;
  const fs::path target = fs::path("..") / place;
  for (LayerRow& row : tx.layers()) {
    std::error_code error;
    if (row.place == std::string(kNew) + "/" + row.name &&
        fs::read_symlink(root_ / row.place, error) == target && !error) {
      return std::move(row);
    }
  }
  return std::nullopt;
}

void LocalLayerStore::place_by_digest(const LayerRow& row, const std::string& place) {
  const fs::path from = root_ / row.place;
  const fs::path to = root_ / place;
  const fs::path link_target = fs::path("..") / place;
  if (is_link(from)) {
    // A process was killed after the names were exchanged and before its commit: there is nothing left to do.
    std::error_code error;
    if (fs::read_symlink(from, error) == link_target && is_directory_itself(to)) return;
    throw Error(ErrorCode::corrupt, "the layer was changed after it had been hashed");
  }
  make_directories(to.parent_path());
  failpoint("layers.shard_made");
  if (is_link(to)) {
    if (::unlink(to.c_str()) != 0) throw_errno("cannot remove " + in_quotes(to.native()));
  } else {
    move_to_trash(root_, to);  // no row has it
  }
  if (::symlink(link_target.c_str(), to.c_str()) != 0)
    throw_errno("cannot make link " + in_quotes(to.native()));
  failpoint("layers.linked");
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_EXCHANGE) != 0) {
    const int saved = errno;
    ::unlink(to.c_str());
    // A file system without the exchange: the layer keeps its first name, and has a digest all the same.
    if (saved != EINVAL && saved != ENOSYS)
      throw_errno(saved, "cannot exchange names with " + in_quotes(to.native()));
    return;
  }
  failpoint("layers.exchanged");
}

bool LocalLayerStore::start_sync() {
  std::int64_t last = index_->read().last_unsynced(boot_);
  if (last == 0) return false;
  const bool done = done_mark(root_, boot_).value_or(0) >= last;
  {
    IndexTx tx = index_->write();
    if (done) {
      tx.clear_boot(boot_, last);
    } else {
      last = tx.last_unsynced(boot_);
      want_sync(root_, {boot_, last});
    }
    failpoint("layers.sync_commit");
    tx.commit();
  }
  if (done) {
    index_->checkpoint_if_long();
    return false;
  }
  start_sync_process(root_, boot_, pace_);
  return true;
}

VerifyReport LocalLayerStore::verify(bool content) {
  VerifyReport report;
  std::vector<LayerRow> layers;
  std::vector<EntryRow> entries;
  {
    IndexTx tx = index_->read();
    const std::string damage = tx.check();
    if (!damage.empty()) report.problems.push_back({root_ / "index.db", damage});
    layers = tx.layers();
    entries = tx.entries({});
    tx.commit();
  }
  report.entries = entries.size();
  const auto add_problem = [&](const LayerRow& row, std::string what) {
    // One that was taken out meanwhile is no problem.
    if (index_->read().layer(row.layer.id)) report.problems.push_back({row.layer.tree, std::move(what)});
  };
  for (const EntryRow& row : entries) {
    const Layer& lowest = row.entry.layers.back();
    if (!lowest.hides.empty()) {
      add_problem(row.layers.back(), "the lowest layer of '" + row.entry.name.key + "' hides " +
                                         in_quotes(lowest.hides.front()));
    }
  }
  for (const LayerRow& row : layers) {
    ++report.layers;
    report.bytes += row.layer.bytes;
    try {
      std::string damage = distrust(row);
      if (damage.empty() && content && !row.layer.digest.empty()) {
        ++report.hashed;
        const std::string digest = layer_digest(row.layer.tree);
        if (digest != row.layer.digest) damage = "its content is " + digest + ", not " + row.layer.digest;
      } else if (damage.empty() && content) {
        const Draft::Content found = scan_layer(row.layer.tree);
        if (found.files != row.layer.files || found.bytes != row.layer.bytes) {
          damage = "it holds " + std::to_string(found.files) + " files with " + std::to_string(found.bytes) +
                   " bytes, not " + std::to_string(row.layer.files) + " with " +
                   std::to_string(row.layer.bytes);
        } else if (found.hides != row.layer.hides) {
          damage = "it hides something else than it did";
        }
      }
      if (!damage.empty()) add_problem(row, std::move(damage));
    } catch (const Error& error) {
      add_problem(row, error.what());
    }
  }
  return report;
}

}  // namespace runner::cache
