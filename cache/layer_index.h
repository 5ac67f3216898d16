#pragma once
// The database of a layer store: SQL only, no act on directories. Internal to the store.

#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cache/layer_store.h"
#include "runner/base/clock.h"
#include "runner/database/migrations.h"
#include "runner/database/sql.h"

namespace runner::cache {

/// The schema's history: migrations/*.sql of this folder.
const std::vector<database::Migration>& embedded_migrations();

struct LayerRow {
  Layer layer;
  std::string name;   // new/NAME
  std::string place;  // below the root
  std::string boot;   // empty: known to be on disk
  bool twin = false;
};

struct EntryRow {
  std::int64_t id = 0;
  Entry entry;                   // its layers filled in
  std::vector<LayerRow> layers;  // the same, top first
};

struct UseRow {
  std::int64_t layer = 0;
  std::string holder;
};

/// One transaction. Rolls back unless committed. One thread.
class IndexTx {
 public:
  IndexTx(std::unique_ptr<database::SqlTx> sql, const std::filesystem::path& root)
      : sql_(std::move(sql)), root_(root) {}

  std::optional<EntryRow> entry(const EntryName& name);
  /// By space, scope, key.
  std::vector<EntryRow> entries(const EntryFilter& filter);
  std::optional<EntryRow> newest_of_family(Space space, std::string_view scope, std::string_view family);
  std::optional<LayerRow> layer(std::int64_t id);
  std::optional<LayerRow> layer_of_digest(std::string_view digest);
  /// By id.
  std::vector<LayerRow> layers();
  /// The oldest that entries use and that has no digest, after `id`.
  std::optional<LayerRow> next_unsealed(std::int64_t after);

  std::int64_t add_layer(const std::string& name, const Draft::Content& content, const std::string& boot);
  /// Makes or replaces the entry, without its layers; returns its id. The tombstone of its name goes.
  std::int64_t put_entry(const NewEntry& entry, TimePoint now);
  void set_stack(std::int64_t entry, std::span<const std::int64_t> layers);
  /// Deletes the entry and remembers why.
  /// There is an entry of this name, or there was one.
  bool knows(const EntryName& name);
  /// Removes it, and that it ever was.
  void forget(const EntryName& name);
  void evict(const EntryRow& row, EvictionReason reason, std::string_view detail, TimePoint now);
  void note_uses(std::int64_t entry, std::uint64_t more, TimePoint at);
  std::optional<Eviction> eviction(const EntryName& name);
  void forget_evictions(TimePoint before);

  void add_use(std::int64_t layer, const std::string& holder);
  void drop_use(std::int64_t layer, const std::string& holder);
  void drop_holder(const std::string& holder);
  std::vector<UseRow> uses();
  /// Nothing may use it any more.
  void delete_layer(std::int64_t id);
  void seal(std::int64_t id, const std::string& digest, const std::string& place);
  /// `other` takes the place of `id` in all stacks that do not have it yet.
  void replace_by_twin(std::int64_t id, std::int64_t other);
  /// All layers of this start of the machine up to `last` are known to be on disk.
  void clear_boot(const std::string& boot, std::int64_t last);
  /// The youngest layer of this start of the machine that is not; 0 when there is none.
  std::int64_t last_unsynced(const std::string& boot);
  bool has_unsynced(const std::string& boot, std::int64_t last);
  /// Empty when the database is whole.
  std::string check();
  void commit();

 private:
  // As the transaction has them; errors of a damaged file say what to do.
  std::vector<database::Row> query(std::string_view sql, const std::vector<database::Value>& args);
  void exec(std::string_view sql, const std::vector<database::Value>& args);
  std::vector<EntryRow> rows_of(std::string_view sql, const std::vector<database::Value>& args);
  std::optional<LayerRow> one_layer(std::string_view sql, const std::vector<database::Value>& args);
  LayerRow to_layer(const database::Row& row, std::size_t first) const;

  std::unique_ptr<database::SqlTx> sql_;
  const std::filesystem::path& root_;
};

/// Opened on first use; what earlier starts of the machine have written out is taken over then. Any thread.
class LayerIndex {
 public:
  LayerIndex(std::filesystem::path root, std::string boot, const Clock& clock)
      : root_(std::move(root)), boot_(std::move(boot)), clock_(clock) {}
  /// Throw Error, which names the file and what to do.
  IndexTx read() { return begin(database::TxMode::read); }
  IndexTx write() { return begin(database::TxMode::write); }
  /// Shortens the log of changes when it has become long. Blocks on fsync.
  void checkpoint_if_long();
  /// A file that only takes room, so that a full disk can be tidied up: removing takes a transaction too.
  void keep_reserve() noexcept;
  /// False when there was none.
  bool give_reserve() noexcept;

 private:
  IndexTx begin(database::TxMode mode);
  database::Database& database();
  void take_over_marks(database::Database& database);

  std::filesystem::path root_;
  std::string boot_;
  const Clock& clock_;
  std::mutex mutex_;
  std::unique_ptr<database::Database> database_;
};

}  // namespace runner::cache
