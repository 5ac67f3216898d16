#include "cache/transfer.h"

#include <unistd.h>

#include <algorithm>
#include <set>
#include <utility>

#include "cache/entry_manifest.h"
#include "cache/layer_pack.h"
#include "runner/base/digest.h"
#include "runner/base/error.h"
#include "runner/base/failpoint.h"
#include "runner/base/files.h"
#include "runner/base/text.h"

namespace runner::cache {
namespace fs = std::filesystem;
namespace {

constexpr std::uint64_t kLongestManifest = 4ULL << 20U;

std::string layer_blob(const std::string& digest) {
  return "layers/" + replace_all(digest, ":", "-") + ".tar.zst";
}

/// The same name for the same entry: what is exported again replaces what was there.
std::string entry_blob(const EntryName& name) {
  std::string all(to_string(name.space));
  for (const std::string& part : {name.scope, name.key}) all += '\0' + part;
  return "entries/" + sha256_hex(all) + ".json";
}

bool is_hashed(const Entry& entry) {
  return std::ranges::none_of(entry.layers, [](const Layer& layer) { return layer.digest.empty(); });
}

/// Null when it is not there, or a layer cannot be hashed.
HeldEntry hashed_entry(LayerStore& store, const EntryName& name) {
  for (;;) {
    HeldEntry entry = store.peek(name);
    if (!entry || is_hashed(*entry)) return entry;
    // The store hashes what is oldest; sooner or later that is ours. At the end another process may have done
    // it.
    if (store.seal_one({})) continue;
    entry = store.peek(name);
    return entry && is_hashed(*entry) ? entry : nullptr;
  }
}

/// Whether it had to move.
bool export_layer(LayerStore& store, const Layer& layer, BlobStore& to, TransferReport& report) {
  const std::string blob = layer_blob(layer.digest);
  if (to.has(blob)) return false;
  // A draft is a place on the store's disk that goes with this process.
  const Draft draft = store.begin();
  const fs::path file = draft.directory() / "packed";
  const PackedLayer packed = write_packed_layer(layer.tree, file);
  if (packed.digest != layer.digest)
    throw Error(ErrorCode::corrupt, "layer " + in_quotes(layer.digest) + " has changed on disk and is now " +
                                        in_quotes(packed.digest));
  failpoint("transfer.layer_packed");
  to.put(blob, file);
  report.bytes += packed.bytes;
  return true;
}

void export_entry(LayerStore& store, const EntryName& name, BlobStore& to, TransferReport& report) {
  if (name.space != Space::cache) throw Error(ErrorCode::invalid_input, "only caches can be exported");
  const HeldEntry entry = hashed_entry(store, name);
  if (!entry && store.peek(name))
    throw Error(ErrorCode::unavailable, "one of its layers could not be hashed");
  if (!entry) throw Error(ErrorCode::not_found, "there is no such entry");
  EntryManifest manifest{entry->name, entry->facts, entry->saved_at, entry->files, entry->bytes, {}};
  for (const Layer& layer : entry->layers) {
    ++(export_layer(store, layer, to, report) ? report.layers_moved : report.layers_there);
    manifest.layers.push_back(layer.digest);
    failpoint("transfer.layer_exported");
  }
  const Draft draft = store.begin();
  const fs::path file = draft.directory() / "entry";
  write_file_atomic(file, write_manifest(manifest));
  to.put(entry_blob(name), file);
  report.entries.push_back(name);
  failpoint("transfer.entry_exported");
}

EntryManifest fetch_manifest(LayerStore& store, BlobStore& from, const std::string& blob) {
  const Draft draft = store.begin();
  const fs::path file = draft.directory() / "entry";
  if (!from.get(blob, file)) throw Error(ErrorCode::not_found, "it is gone");
  const auto text = read_file(file, kLongestManifest);
  return read_manifest(text.value_or(""));
}

std::shared_ptr<const Layer> import_layer(LayerStore& store, BlobStore& from, const std::string& digest,
                                          const UnpackLimits& limits, TransferReport& report) {
  if (auto there = store.layer_by_digest(digest)) {
    ++report.layers_there;
    return there;
  }
  Draft draft = store.begin();
  const fs::path file = draft.directory() / "packed";
  try {
    if (!from.get(layer_blob(digest), file)) throw Error(ErrorCode::corrupt, "it is missing");
    failpoint("transfer.layer_fetched");
    read_packed_layer(file, digest, draft.tree(), limits);
  } catch (Error& error) {
    error.add_context("layer " + in_quotes(digest));
    throw;
  }
  failpoint("transfer.layer_unpacked");
  report.bytes += fs::file_size(file);
  if (::unlink(file.c_str()) != 0) throw_errno("cannot remove " + in_quotes(file.native()));
  auto layer = store.add(std::move(draft));
  ++report.layers_moved;
  failpoint("transfer.layer_imported");
  return layer;
}

void import_entry(LayerStore& store, BlobStore& from, const EntryManifest& manifest,
                  const UnpackLimits& limits, TransferReport& report) {
  const HeldEntry before = store.peek(manifest.name);
  if (before && before->saved_at >= manifest.saved_at) {
    ++report.entries_there;
    return;
  }
  // Held until the entry holds them: the lowest comes first, so that nothing is built on what may be missing.
  std::vector<std::shared_ptr<const Layer>> layers;
  for (auto digest = manifest.layers.rbegin(); digest != manifest.layers.rend(); ++digest)
    layers.push_back(import_layer(store, from, *digest, limits, report));
  NewEntry entry;
  entry.name = manifest.name;
  entry.facts = manifest.facts;
  entry.files = manifest.files;
  entry.bytes = manifest.bytes;
  // A clock that was ahead must not make it the newest for years.
  entry.saved_at = std::min(manifest.saved_at, SystemClock().now());
  for (auto layer = layers.rbegin(); layer != layers.rend(); ++layer) entry.below.push_back((*layer)->id);
  failpoint("transfer.layers_imported");
  static_cast<void>(store.commit(std::move(entry), std::nullopt));
  report.entries.push_back(manifest.name);
  failpoint("transfer.entry_imported");
}

/// Runs `body`; when it throws, `what` goes before the message, and layers without an entry go. What is wrong
/// with one entry is no reason to leave the others.
template <typename Body>
void taking(LayerStore& store, const std::string& what, TransferReport& report, Body body) {
  try {
    body();
  } catch (Error& error) {
    error.add_context(what);
    store.collect({});
    const bool of_entry = error.code() == ErrorCode::corrupt || error.code() == ErrorCode::invalid_input ||
                          error.code() == ErrorCode::not_found;
    if (!of_entry) throw;
    report.refused.emplace_back(error.what());
  }
}

void require_all(const std::vector<std::string>& keys, const std::set<std::string>& seen) {
  for (const std::string& key : keys)
    if (!seen.contains(key))
      throw Error(ErrorCode::not_found, "there is no entry " + in_quotes(key) + " to import");
}

}  // namespace

TransferReport export_entries(LayerStore& store, const std::vector<EntryName>& names, BlobStore& to) {
  TransferReport report;
  for (const EntryName& name : names) {
    try {
      export_entry(store, name, to, report);
    } catch (Error& error) {
      error.add_context("cannot export " + in_quotes(name.key));
      throw;
    }
  }
  return report;
}

TransferReport import_entries(LayerStore& store, BlobStore& from, const std::vector<std::string>& keys,
                              const std::optional<std::string>& scope, const UnpackLimits& limits) {
  TransferReport report;
  std::set<std::string> seen;
  std::vector<EntryManifest> wanted;
  for (const std::string& blob : from.list("entries")) {
    taking(store, "cannot import " + in_quotes(blob), report, [&] {
      EntryManifest manifest = fetch_manifest(store, from, blob);
      if (!keys.empty() && std::ranges::find(keys, manifest.name.key) == keys.end()) return;
      if (scope) manifest.name.scope = *scope;
      seen.insert(manifest.name.key);
      wanted.push_back(std::move(manifest));
    });
  }
  require_all(keys, seen);
  for (const EntryManifest& manifest : wanted)
    taking(store, "cannot import " + in_quotes(manifest.name.key), report,
           [&] { import_entry(store, from, manifest, limits, report); });
  // Those that came have no name by digest yet; with it the next import knows them. What cannot be hashed now
  // is left to the housekeeper.
  for (const EntryName& name : report.entries) static_cast<void>(hashed_entry(store, name));
  return report;
}

}  // namespace runner::cache
