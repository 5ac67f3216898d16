#pragma once
// Layers and entries between machines. A blob store holds packed layers by their digest; only those the other
// side lacks move. Directories today; an object store or an image registry implements the same interface.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cache/layer_store.h"
#include "runner/base/unpack.h"

namespace runner::cache {

/// Files by name, each whole or not at all. Names are "FOLDER/NAME" of letters, digits, '.', '-' and '_'; any
/// other throws Error{invalid_input}. Any thread. Blocks. Throws Error.
class BlobStore {
 public:
  virtual ~BlobStore() = default;
  virtual bool has(const std::string& name) = 0;
  /// Stores the file, in the place of one of that name. The file may be moved away.
  virtual void put(const std::string& name, const std::filesystem::path& file) = 0;
  /// Writes it to `file`, which is not there yet. False when there is none.
  virtual bool get(const std::string& name, const std::filesystem::path& file) = 0;
  /// Names in `folder`, sorted.
  virtual std::vector<std::string> list(const std::string& folder) = 0;
};

/// DIRECTORY/layers/sha256-....tar.zst and DIRECTORY/entries/....json. Made with the first put().
std::unique_ptr<BlobStore> make_directory_blobs(std::filesystem::path directory);

struct TransferReport {
  std::vector<EntryName> entries;  // that moved; as they are called on this side
  std::uint64_t entries_there = 0, layers_moved = 0, layers_there = 0;
  std::uint64_t bytes = 0;           // of the packed layers that moved
  std::vector<std::string> refused;  // why entries were not taken, one sentence each
};

/// Entries of caches with their layers. Layers that have no digest yet are hashed first. Throws Error,
/// not_found when there is no such entry; what was put stays, an entry is only put after its layers.
TransferReport export_entries(LayerStore& store, const std::vector<EntryName>& names, BlobStore& to);

/// All entries of `from`, or those of `keys`; `scope` replaces theirs when given. An entry that is there and
/// not older stays. A blob that does not have its digest or is hostile is refused by name, and nothing of its
/// entry is taken; the others are. Throws Error when the store fails, and not_found when no entry has one of
/// `keys`.
TransferReport import_entries(LayerStore& store, BlobStore& from, const std::vector<std::string>& keys,
                              const std::optional<std::string>& scope, const UnpackLimits& limits = {});

}  // namespace runner::cache
