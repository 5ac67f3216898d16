#pragma once
// Directory trees that never change again, and names for stacks of them: what caches, checkouts and artifacts
// are made of. A layer is part of an overlay: files, whiteouts (0/0 character devices) and opaque directories
// (user.overlay.opaque=y) count for what lies below it in its stack. The lowest layer of a stack has neither.
//
//   ROOT/index.db                 what is there: layers, entries, who uses them, what was evicted
//   ROOT/drafts/NAME/tree         being made; locked by whoever makes it
//   ROOT/new/NAME/tree            a layer whose content has not been hashed yet
//   ROOT/ab/abcdef.../tree        a layer by the SHA-256 of its canonical archive (layer_pack.h). When a
//                                 layer of new/ is hashed the two names are exchanged, and new/NAME stays as
//                                 a link until nobody can know it any more: a path once given stays right
//   ROOT/holders/NAME             a lock file of each process that uses layers; free when the process is gone
//   ROOT/trash/                   taken out, being removed
//   ROOT/reserve                  room on the disk that is given up when it is full and something is to be
//   removed
//   ROOT/sync/                    what is known to outlive a crash of the machine (layer_sync.h)
//
// A layer is seen when its row is committed, after its directory has been renamed into place; its directory
// goes after its row. So a process may be killed anywhere: what has no row is removed at the next recover().
// The index is of this machine's disk, so it lies with the layers and not in the server's database.
// Any thread, any number of processes on one ROOT. Calls block on the disk and, briefly, on other writers.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runner/base/clock.h"
#include "runner/base/fd.h"

namespace runner::cache {

struct Layer {
  std::int64_t id = 0;         // in this store, never used again
  std::filesystem::path tree;  // absolute; stays valid while the layer is held
  std::string digest;          // "sha256:..." once hashed, else empty
  std::uint64_t files = 0;     // links included, directories and whiteouts not
  std::uint64_t bytes = 0;     // their lengths
  std::uint64_t disk = 0;  // blocks it keeps, 512-byte units times 512; files shared with others count once
  /// What it hides of the layers below: paths of whiteouts, and of opaque directories with a '/' at the end.
  std::vector<std::string> hides;
};

/// What entries are for. Each has its own scopes and keys.
enum class Space : std::uint8_t { cache, checkout, artifact };
std::string_view to_string(Space space) noexcept;

struct EntryName {
  Space space = Space::cache;
  std::string scope;  // a project: entries of one never meet those of another
  std::string key;
  friend bool operator==(const EntryName&, const EntryName&) = default;
};

/// What is known of an entry beside its layers, for those who ask why it was found or not.
struct EntryFacts {
  /// What the key was made of, before expansion: entries of one family follow one another in time.
  std::string family;
  /// The named values the key was made of: file -> blob id, variable -> value. Sorted by name.
  std::vector<std::pair<std::string, std::string>> inputs;
  std::string origin;    // who saved it: "job 'build' of pipeline 12"
  std::string contents;  // what the paths were that it was saved from; compared as text
};

struct Entry {
  EntryName name;
  std::vector<Layer> layers;  // top first
  EntryFacts facts;
  TimePoint saved_at{}, used_at{};
  std::uint64_t uses = 0;
  std::uint64_t files = 0, bytes = 0;  // as seen through the whole stack
};

/// An entry whose layers stay while this lives, also when it is replaced or evicted meanwhile. Immutable.
using HeldEntry = std::shared_ptr<const Entry>;

enum class EvictionReason : std::uint8_t { budget, unused, removed, damaged, expired };
std::string_view to_string(EvictionReason reason) noexcept;

struct Eviction {
  EntryName name;
  EvictionReason reason = EvictionReason::budget;
  std::string detail;  // "the caches were 21 GB, the limit is 20 GB"
  TimePoint at{}, saved_at{}, used_at{};
};

/// "evicted 2.0 s ago to make room: the caches were 21 GB, the limit is 20 GB"
std::string describe(const Eviction& eviction, TimePoint now);

/// A layer being made: a directory of the store's file system that goes with this object, and after a crash
/// with the next recover(), unless it is committed. Move-only.
class Draft {
 public:
  Draft(std::filesystem::path directory, UniqueFd lock) noexcept
      : directory_(std::move(directory)), lock_(std::move(lock)) {}
  Draft(Draft&& other) noexcept;
  Draft& operator=(Draft&& other) noexcept;
  ~Draft();

  /// Exists, empty, mode 0755, to be filled. Whiteouts and opaque marks as overlayfs has them.
  std::filesystem::path tree() const { return directory_ / "tree"; }
  const std::filesystem::path& directory() const noexcept { return directory_; }

  // What tree() holds, filled in by whoever fills it. Without it commit() walks the tree to find out.
  struct Content {
    std::uint64_t files = 0, bytes = 0, disk = 0;
    std::vector<std::string> hides;
  };
  std::optional<Content> content;

 private:
  friend class LocalLayerStore;
  std::filesystem::path directory_;  // empty: moved from, or committed
  UniqueFd lock_;
};

/// An entry to be written.
struct NewEntry {
  EntryName name;
  EntryFacts facts;
  std::vector<std::int64_t> below;  // layers already in the store (held by the caller), top first
  /// As seen through the whole stack. Both 0 and nothing below: those of the draft.
  std::uint64_t files = 0, bytes = 0;
  std::optional<TimePoint> saved_at;  // default: now
};

struct EntryFilter {
  std::optional<Space> space;
  std::optional<std::string> scope, family;
};

struct CollectPolicy {
  std::optional<std::uint64_t> budget;                  // bytes on disk that layers may take, of all spaces
  std::optional<std::chrono::milliseconds> unused_for;  // entries not used for so long go
  std::optional<Space> only;                            // evict entries of this space only
  bool dry_run = false;
};
struct CollectReport {
  std::vector<Eviction> evicted;        // least recently used first
  std::uint64_t layers = 0, bytes = 0;  // removed, or with dry_run: that would be
  std::uint64_t kept_bytes = 0;         // on disk afterwards
  std::uint64_t held_bytes = 0;         // the part of it that only running jobs keep
};

struct VerifyProblem {
  std::filesystem::path path;
  std::string what;
};
struct VerifyReport {
  std::uint64_t entries = 0, layers = 0, hashed = 0, bytes = 0;
  std::vector<VerifyProblem> problems;
};

/// How work is done that nobody waits for.
struct Background {
  /// Asked often; what is not done when it says so is left for the next time. Empty: never.
  std::function<bool()> stop;
  /// Runs what takes long and keeps nobody out, and returns when that is done: the one place for a low
  /// priority. A thread that has one while it writes to the index holds up all others. Empty: right here.
  std::function<void(const std::function<void()>& act)> slowly;

  bool is_stopped() const { return stop && stop(); }
  void do_slowly(const std::function<void()>& act) const { slowly ? slowly(act) : act(); }
};

struct StoreOptions {
  /// The kernel's name for the time since it started. Empty: what it says itself. Others are for tests.
  std::string boot;
  /// How long the process of start_sync() waits for others to be done, and between two times.
  std::chrono::milliseconds sync_quiet{2'000}, sync_interval{30'000};
};

class LayerStore {
 public:
  /// Makes ROOT when missing. The database is opened on first use, so a store that nobody asks costs
  /// nothing. Throws Error.
  static std::unique_ptr<LayerStore> open(const std::filesystem::path& root, const Clock& clock,
                                          const StoreOptions& options = {});
  virtual ~LayerStore() = default;
  virtual const std::filesystem::path& root() const noexcept = 0;

  virtual Draft begin() = 0;

  /// The draft becomes a layer on top of `entry.below`, and the entry points at the stack, in one
  /// transaction: others see the old entry or the new one. Without a draft the entry is `below` alone.
  /// Returns it held. Throws Error; nothing has changed then.
  virtual HeldEntry commit(NewEntry entry, std::optional<Draft> top) = 0;

  /// The draft becomes a layer that no entry has yet: it goes with the next collect() once nobody holds it.
  /// For entries whose stack comes from elsewhere, layer by layer. Throws Error.
  virtual std::shared_ptr<const Layer> add(Draft draft) = 0;

  /// The entry, held, and its use noted. Null when there is none, or when it cannot be trusted: a directory
  /// is gone, or the machine went down before it was written to disk (`why` says so, else it is untouched).
  virtual HeldEntry find(const EntryName& name, std::string* why = nullptr) = 0;
  /// The same without noting a use.
  virtual HeldEntry peek(const EntryName& name, std::string* why = nullptr) = 0;
  /// By space, scope, key; with their layers, not held.
  virtual std::vector<Entry> list(const EntryFilter& filter) = 0;
  /// The entry of a family that was saved last. nullopt when there is none.
  virtual std::optional<Entry> newest_of_family(Space space, std::string_view scope,
                                                std::string_view family) = 0;
  /// When and why an entry that is not there went. nullopt: it never was, or that is forgotten (90 days).
  virtual std::optional<Eviction> eviction(const EntryName& name) = 0;
  /// False when there is none. Its layers go with the next collect(), when no other entry has them.
  virtual bool remove(const EntryName& name, EvictionReason reason, std::string_view detail) = 0;
  /// The same, and nobody is told that it ever was, nor of one before it.
  virtual void forget(const EntryName& name) = 0;
  /// The same layers under a new stack: for squashing. False when the entry is no longer `from` (compared by
  /// its layers); nothing has changed then.
  virtual bool restack(const Entry& from, std::optional<Draft> top, std::vector<std::int64_t> below) = 0;

  /// A layer of this digest, held. Null when there is none.
  virtual std::shared_ptr<const Layer> layer_by_digest(std::string_view digest) = 0;
  /// Whether `path` lies in a layer's tree: then its files never change, and may be linked.
  virtual bool owns(const std::filesystem::path& path) const = 0;

  /// Evicts by the policy, then removes every layer that no entry has and nobody holds.
  /// Stopped before it came to that, it changes and reports nothing.
  virtual CollectReport collect(const CollectPolicy& policy, const Background& background = {}) = 0;
  /// Removes what killed processes left: drafts, directories without a row, links of new/, free holders.
  virtual void recover(const Background& background = {}) = 0;
  /// Every row against the disk: directories there, no whiteout in a lowest layer, and with `content` every
  /// hashed layer hashed again. Changes nothing.
  virtual VerifyReport verify(bool content) = 0;
  /// Hashes one layer that has no digest yet, oldest first, and gives it its name; another of the same
  /// content takes its place in all entries. False when there is none left, or it was stopped.
  virtual bool seal_one(const Background& background) = 0;
  /// Has a process of its own see to it that what was committed so far outlives a crash of the machine; that
  /// process outlives this one, and nobody waits for it. False: there is nothing left to be done. Layers it
  /// has not come to are trusted as long as the machine is not started again, and not after that.
  virtual bool start_sync() = 0;
};

}  // namespace runner::cache
