#include "cache/layer_leases.h"

#include <unistd.h>

#include <algorithm>
#include <exception>

#include "cache/layer_files.h"
#include "runner/base/failpoint.h"
#include "runner/base/log.h"

namespace runner::cache {

Leases::Hold::~Hold() {
  if (leases_) leases_->release(layers_);
}

Leases::~Leases() {
  if (holder_.empty()) return;
  try {
    IndexTx tx = index_->write();
    tx.drop_holder(holder_);
    tx.commit();
  } catch (const std::exception& error) {
    // Rows of a lock file that is gone do not count; recover() removes them.
    log_debug("cache", error.what());
  }
  ::unlink((root_ / kHolders / holder_).c_str());
}

const std::string& Leases::make_holder() {
  if (holder_.empty()) {
    LockedPath made = make_locked_file(root_ / kHolders, std::to_string(::getpid()) + "-");
    failpoint("layers.holder_made");
    holder_ = made.path.filename();
    lock_ = std::move(made.lock);
  }
  return holder_;
}

Leases::Hold Leases::try_hold(std::span<const std::int64_t> layers) {
  const std::lock_guard lock(mutex_);
  for (const std::int64_t layer : layers) {
    const auto found = leases_.find(layer);
    if (found == leases_.end() || !found->second.has_row) return {};
  }
  for (const std::int64_t layer : layers) ++leases_[layer].count;
  return {shared_from_this(), {layers.begin(), layers.end()}};
}

Leases::Hold Leases::hold(IndexTx& tx, std::span<const std::int64_t> layers) {
  std::vector<std::int64_t> without_row;
  std::string holder;
  Hold hold;
  {
    const std::lock_guard lock(mutex_);
    holder = make_holder();
    for (const std::int64_t layer : layers) {
      Lease& lease = leases_[layer];
      ++lease.count;
      if (!lease.has_row) without_row.push_back(layer);
    }
    hold.leases_ = shared_from_this();
    hold.layers_.assign(layers.begin(), layers.end());
  }
  for (const std::int64_t layer : without_row) tx.add_use(layer, holder);
  return hold;
}

void Leases::confirm(const Hold& hold) {
  const std::lock_guard lock(mutex_);
  for (const std::int64_t layer : hold.layers_) leases_[layer].has_row = true;
}

void Leases::release(std::span<const std::int64_t> layers) noexcept {
  const std::lock_guard lock(mutex_);
  for (const std::int64_t layer : layers) {
    const auto found = leases_.find(layer);
    if (found == leases_.end()) continue;
    // The row stays until the next transaction that writes anyway.
    if (--found->second.count == 0 && !found->second.has_row) leases_.erase(found);
  }
}

void Leases::drop_unused(IndexTx& tx) {
  std::vector<std::int64_t> unused;
  std::string holder;
  {
    // Within the transaction: who wants one of these rows again waits for it.
    const std::lock_guard lock(mutex_);
    holder = holder_;
    for (auto it = leases_.begin(); it != leases_.end();) {
      if (it->second.count == 0) {
        unused.push_back(it->first);
        it = leases_.erase(it);
      } else {
        ++it;
      }
    }
  }
  for (const std::int64_t layer : unused) tx.drop_use(layer, holder);
}

bool Leases::is_held_here(std::int64_t layer) {
  const std::lock_guard lock(mutex_);
  const auto found = leases_.find(layer);
  return found != leases_.end() && found->second.count != 0;
}

std::string Leases::holder() {
  const std::lock_guard lock(mutex_);
  return holder_;
}

}  // namespace runner::cache
