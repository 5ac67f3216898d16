#pragma once
// The layer store of this machine's disk. Internal: others know LayerStore.

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cache/layer_index.h"
#include "cache/layer_leases.h"
#include "cache/layer_store.h"
#include "cache/layer_sync.h"
#include "runner/base/error.h"

namespace runner::cache {

class LocalLayerStore final : public LayerStore {
 public:
  LocalLayerStore(std::filesystem::path root, const Clock& clock, const StoreOptions& options);
  ~LocalLayerStore() override;

  const std::filesystem::path& root() const noexcept override { return root_; }
  Draft begin() override;
  HeldEntry commit(NewEntry entry, std::optional<Draft> top) override;
  std::shared_ptr<const Layer> add(Draft draft) override;
  HeldEntry find(const EntryName& name, std::string* why) override;
  HeldEntry peek(const EntryName& name, std::string* why) override;
  std::vector<Entry> list(const EntryFilter& filter) override;
  std::optional<Entry> newest_of_family(Space space, std::string_view scope,
                                        std::string_view family) override;
  std::optional<Eviction> eviction(const EntryName& name) override;
  bool remove(const EntryName& name, EvictionReason reason, std::string_view detail) override;
  void forget(const EntryName& name) override;
  bool restack(const Entry& from, std::optional<Draft> top, std::vector<std::int64_t> below) override;
  std::shared_ptr<const Layer> layer_by_digest(std::string_view digest) override;
  bool owns(const std::filesystem::path& path) const override;
  CollectReport collect(const CollectPolicy& policy, const Background& background) override;
  void recover(const Background& background) override;
  VerifyReport verify(bool content) override;
  bool seal_one(const Background& background) override;
  bool start_sync() override;

 private:
  struct Use {
    std::uint64_t count = 0;
    TimePoint at{};
  };
  enum class Noting : std::uint8_t { use, nothing };
  enum class SealStep : std::uint8_t { sealed, skipped };

  // layer_store.cpp
  HeldEntry look_up(const EntryName& name, Noting noting, std::string* why);
  /// Without writing: when this process has leases already, and the use need not be written yet. Else null.
  HeldEntry hold_in_memory(EntryRow& row, Noting noting, TimePoint now);
  HeldEntry make_held(Entry entry, Leases::Hold hold);
  std::shared_ptr<const Layer> make_held_layer(Layer layer, Leases::Hold hold);
  /// Empty, or why the layer is not what was committed.
  std::string distrust(const LayerRow& row) const;
  std::string distrust(const EntryRow& row) const;
  /// Moves the draft into new/ and makes its row. Returns its id.
  std::int64_t add_draft(IndexTx& tx, Draft& draft);
  void fill_content(std::optional<Draft>& top, bool is_lowest) const;
  void move_into_new(Draft& draft) const;
  /// What only this process knows so far: uses, and what it does not hold any more.
  void settle(IndexTx& tx);

  /// Does what makes room: when there is not even room to write it down, once more with what was kept for
  /// this.
  template <typename Act>
  auto with_reserve(const Act& act) {
    try {
      return act();
    } catch (const Error& error) {
      if (error.system() != std::errc::no_space_on_device || !index_->give_reserve()) throw;
    }
    return act();
  }

  // layer_collect.cpp
  struct Plan;
  CollectReport evict_and_remove(const CollectPolicy& policy, const Background& background);
  Plan make_plan(IndexTx& tx, const CollectPolicy& policy);
  void remove_directories(std::span<const LayerRow> layers);
  /// Layers that a process which lives has, by id.
  std::map<std::int64_t, bool> live_uses(IndexTx& tx);

  // layer_recover.cpp
  struct Known;
  enum class Leftover : std::uint8_t { none, link, tree };
  Known what_is_known(IndexTx& tx);
  Leftover judge(const Known& known, const std::string& folder, const std::string& name) const;
  void remove_leftover(const Known& known, const std::string& folder, const std::string& name);
  void recover_drafts(const Background& background);
  void recover_holders(const Background& background);
  void recover_layers(const Background& background);
  void recover_marks();

  // layer_seal.cpp
  Leases::Hold hold_layer(std::int64_t id);
  SealStep seal(const LayerRow& row, const Background& background);
  void place_by_digest(const LayerRow& row, const std::string& place);
  /// The layer whose directory lies at `place` already, when a process was killed before it wrote that down.
  std::optional<LayerRow> half_sealed(IndexTx& tx, const std::string& place) const;

  std::filesystem::path root_;
  const Clock& clock_;
  std::string boot_;
  SyncPace pace_;
  std::shared_ptr<LayerIndex> index_;
  std::shared_ptr<Leases> leases_;
  std::mutex uses_mutex_;
  std::map<std::int64_t, Use> uses_;  // of entries, not yet written
};

}  // namespace runner::cache
