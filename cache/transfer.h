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

/// Files by name, each whole or not at all. Any thread. Blocks. Throws Error.
class BlobStore {
 public:
  virtual ~BlobStore() = default;
  virtual bool has(const std::string& name) = 0;
  /// Stores the file; fine when it is there already. The file may be moved away.
  virtual void put(const std::string& name, const std::filesystem::path& file) = 0;
  /// Writes it to `file`. False when there is none.
  virtual bool get(const std::string& name, const std::filesystem::path& file) = 0;
  virtual std::vector<std::string> list(const std::string& prefix) = 0;
};

/// DIRECTORY/layers/sha256-....tar.zst and DIRECTORY/entries/....json
std::unique_ptr<BlobStore> make_directory_blobs(std::filesystem::path directory);

struct TransferReport {
  std::uint64_t entries = 0, layers_moved = 0, layers_there = 0, bytes = 0;
};

/// Entries with their layers. Layers that have no digest yet are hashed first. Throws Error.
TransferReport export_entries(LayerStore& store, const std::vector<EntryName>& names, BlobStore& to);

/// All entries of `from`, or those of `keys`; `scope` replaces theirs when given. An entry that is there and
/// newer stays. A blob that does not have its digest or is hostile is refused by name, and nothing of its
/// entry is taken. Throws Error.
TransferReport import_entries(LayerStore& store, BlobStore& from, const std::vector<std::string>& keys,
                              const std::optional<std::string>& scope, const UnpackLimits& limits = {});

}  // namespace runner::cache
