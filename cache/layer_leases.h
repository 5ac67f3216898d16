#pragma once
// Which layers this process works with: counts in memory, and one row for each layer under the name of a lock
// file that the kernel frees with the process. Internal to the store. Any thread.

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "cache/layer_index.h"
#include "runner/base/fd.h"

namespace runner::cache {

/// Lives as long as the store and everything that is held.
class Leases : public std::enable_shared_from_this<Leases> {
 public:
  Leases(std::filesystem::path root, std::shared_ptr<LayerIndex> index)
      : root_(std::move(root)), index_(std::move(index)) {}
  ~Leases();
  Leases(const Leases&) = delete;
  Leases& operator=(const Leases&) = delete;

  /// Counts that go with this object.
  class Hold {
   public:
    Hold() = default;
    Hold(std::shared_ptr<Leases> leases, std::vector<std::int64_t> layers)
        : leases_(std::move(leases)), layers_(std::move(layers)) {}
    Hold(Hold&& other) noexcept = default;
    Hold& operator=(Hold&&) = delete;
    ~Hold();
    explicit operator bool() const noexcept { return leases_ != nullptr; }

   private:
    friend class Leases;
    std::shared_ptr<Leases> leases_;
    std::vector<std::int64_t> layers_;
  };

  /// Without the database: when this process has rows for all of them. Empty otherwise.
  Hold try_hold(std::span<const std::int64_t> layers);
  /// In a transaction that writes and has seen the layers. Counts at once; confirm() when it was committed.
  Hold hold(IndexTx& tx, std::span<const std::int64_t> layers);
  void confirm(const Hold& hold);
  /// In a transaction that writes: the rows of what is not held any more go.
  void drop_unused(IndexTx& tx);

  bool is_held_here(std::int64_t layer);
  /// Empty as long as nothing was held.
  std::string holder();

 private:
  struct Lease {
    std::uint64_t count = 0;
    bool has_row = false;  // committed
  };
  void release(std::span<const std::int64_t> layers) noexcept;
  const std::string& make_holder();  // under the mutex

  std::filesystem::path root_;
  std::shared_ptr<LayerIndex> index_;
  std::mutex mutex_;
  std::map<std::int64_t, Lease> leases_;
  std::string holder_;
  UniqueFd lock_;
};

}  // namespace runner::cache
