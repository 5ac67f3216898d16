#include "cache/cache_store.h"

#include <sys/stat.h>

#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "cache/cache_key.h"
#include "cache/generations.h"
#include "cache/tree_writer.h"
#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/log.h"

namespace runner::cache {
namespace fs = std::filesystem;
namespace {

constexpr int kFormat = 1;

struct Meta {
  std::string key;
  TimePoint saved_at{};
  std::uint64_t files = 0, bytes = 0;
  std::uint64_t entries = 0;  // selected ones, directories included: tells whether one went missing
};

std::string to_json(const Meta& meta) {
  // Keys are any bytes, JSON is UTF-8: the name of the directory is what identifies a key exactly.
  return nlohmann::json{
      {"format", kFormat},   {"key", meta.key},     {"saved_at", meta.saved_at.time_since_epoch().count()},
      {"files", meta.files}, {"bytes", meta.bytes}, {"entries", meta.entries}}
      .dump(-1, ' ', true, nlohmann::json::error_handler_t::replace);
}

std::optional<Meta> read_meta(const fs::path& generation) {
  const std::optional<std::string> text = read_file(generation / "meta.json", 1U << 20U);
  if (!text) return std::nullopt;
  const nlohmann::json json = nlohmann::json::parse(*text, nullptr, false);
  try {
    if (json.at("format").get<int>() != kFormat) return std::nullopt;
    Meta meta;
    meta.saved_at = TimePoint(std::chrono::milliseconds(json.at("saved_at").get<std::int64_t>()));
    meta.files = json.at("files").get<std::uint64_t>();
    meta.bytes = json.at("bytes").get<std::uint64_t>();
    meta.entries = json.at("entries").get<std::uint64_t>();
    return meta;
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;  // damaged
  }
}

class Hit final : public CacheHit {
 public:
  Hit(std::string scope, Meta meta, PinnedGeneration pinned)
      : scope_(std::move(scope)),
        meta_(std::move(meta)),
        layers_{pinned.path / "tree"},
        pin_(std::move(pinned)) {}

  const std::string& key() const noexcept override { return meta_.key; }
  const std::vector<fs::path>& layers() const noexcept override { return layers_; }
  TimePoint saved_at() const noexcept override { return meta_.saved_at; }
  std::uint64_t bytes() const noexcept override { return meta_.bytes; }
  std::uint64_t files() const noexcept override { return meta_.files; }
  std::uint64_t entries() const noexcept { return meta_.entries; }
  const std::string& scope() const noexcept { return scope_; }

 private:
  std::string scope_;
  Meta meta_;
  std::vector<fs::path> layers_;
  PinnedGeneration pin_;
};

bool same_file(const struct stat& one, const struct stat& other) {
  if (one.st_mode != other.st_mode) return false;
  if (S_ISDIR(one.st_mode)) return true;  // its time says only that something in it changed
  return one.st_size == other.st_size && one.st_mtim.tv_sec == other.st_mtim.tv_sec &&
         one.st_mtim.tv_nsec == other.st_mtim.tv_nsec;
}

/// Whether the selection is exactly what the entry brought, untouched.
bool is_unchanged(const LayeredTree& tree, const Selection& selection, const Hit& hit) {
  if (selection.entries.size() != hit.entries()) return false;
  const bool copied = tree.layers().size() == 1;  // one tree: everything lies in the job's own layer
  const fs::path& restored = hit.layers().front();
  for (const TreeEntry& entry : selection.entries) {
    if (tree.layers()[entry.layer] == restored) continue;
    // A directory is seen in the topmost layer that has it, which says nothing about the others.
    if (!copied && entry.type != EntryType::directory) return false;
    struct stat before {};
    if (::lstat((restored / entry.path).c_str(), &before) != 0 || !same_file(stat_entry(entry), before))
      return false;
  }
  return true;
}

class DirectoryCacheStore final : public CacheStore {
 public:
  DirectoryCacheStore(fs::path root, const Clock& clock) : root_(std::move(root)), clock_(clock) {}

  CacheLookup find(std::string_view scope, std::span<const std::string> keys) override {
    CacheLookup lookup;
    for (const std::string& key : keys) {
      MissReason reason = MissReason::never_saved;
      lookup.hit = find_one(scope, key, reason);
      if (lookup.hit) break;
      lookup.missed.emplace_back(key, reason);
    }
    return lookup;
  }

  CacheSave save(std::string_view scope, const std::string& key, const LayeredTree& tree,
                 const Selection& selection, const fs::path& upper, const CacheHit* restored) override {
    if (selection.entries.empty()) return {};
    const auto* hit = dynamic_cast<const Hit*>(restored);
    const bool same_entry = hit != nullptr && hit->key() == key && hit->scope() == scope;
    if (same_entry && is_unchanged(tree, selection, *hit)) {
      return {CacheSave::Result::up_to_date, hit->files(), hit->bytes()};
    }
    try {
      return write(scope, key, tree, selection, upper, hit);
    } catch (Error& error) {
      error.add_context("while saving cache '" + key + "'");
      throw;
    }
  }

 private:
  fs::path directory_of(std::string_view scope, const std::string& key) const {
    return root_ / "entries" / directory_name(scope) / directory_name(key);
  }

  std::unique_ptr<CacheHit> find_one(std::string_view scope, const std::string& key, MissReason& reason) {
    try {
      std::optional<PinnedGeneration> pinned = pin_current(directory_of(scope, key));
      if (!pinned) return nullptr;
      reason = MissReason::damaged;
      std::optional<Meta> meta = read_meta(pinned->path);
      struct stat info {};
      if (!meta || ::lstat((pinned->path / "tree").c_str(), &info) != 0 || !S_ISDIR(info.st_mode))
        return nullptr;
      meta->key = key;
      return std::make_unique<Hit>(std::string(scope), std::move(*meta), std::move(*pinned));
    } catch (const Error& error) {
      log_warn("cache", "cannot read cache '" + key + "': " + error.what());
      reason = MissReason::damaged;
      return nullptr;
    }
  }

  CacheSave write(std::string_view scope, const std::string& key, const LayeredTree& tree,
                  const Selection& selection, const fs::path& upper, const Hit* hit) {
    const fs::path directory = directory_of(scope, key);
    const PinnedGeneration generation = begin_generation(directory);
    CacheSave result{CacheSave::Result::saved, 0, 0};
    try {
      fill(generation.path / "tree", tree, selection, upper, hit, result);
      const Meta meta{key, clock_.now(), result.files, result.bytes, selection.entries.size()};
      write_file_atomic(generation.path / "meta.json", to_json(meta), 0600, false);
      make_current(directory, generation, root_ / "trash");
    } catch (const Error&) {
      discard(generation.path);
      throw;
    }
    empty_trash(root_ / "trash");
    return result;
  }

  static void discard(const fs::path& generation) noexcept {
    try {
      remove_tree(generation);
    } catch (const Error& error) {
      log_warn("cache", error.what());
    }
  }

  static void fill(const fs::path& to, const LayeredTree& tree, const Selection& selection,
                   const fs::path& upper, const Hit* hit, CacheSave& result) {
    make_directories(to, 0700);
    TreeWriter writer(to);
    std::set<std::string, std::less<>> made;
    for (const TreeEntry& entry : selection.entries) {
      add_parents(writer, tree, entry.path, made);
      if (entry.type == EntryType::directory && !made.insert(entry.path).second) continue;
      const struct stat info = stat_entry(entry);
      writer.add(entry, info, how(tree, entry, info, upper, hit));
      if (entry.type != EntryType::directory) ++result.files;
      if (entry.type == EntryType::file) result.bytes += static_cast<std::uint64_t>(info.st_size);
    }
    writer.finish(root_info(tree));
  }

  /// Linked is only what nobody writes to any more: the job's own files and those of the entry it started
  /// from. A file of the job's that has further names is copied: one of them may lie outside of the
  /// workspace.
  static TreeWriter::Content how(const LayeredTree& tree, const TreeEntry& entry, const struct stat& info,
                                 const fs::path& upper, const Hit* hit) {
    const fs::path& layer = tree.layers()[entry.layer];
    const bool own = layer == upper && info.st_nlink == 1;
    const bool immutable = hit != nullptr && layer == hit->layers().front();
    return own || immutable ? TreeWriter::Content::link : TreeWriter::Content::copy;
  }

  /// Directories above an entry that were not selected themselves look as they do in the workspace.
  static void add_parents(TreeWriter& writer, const LayeredTree& tree, const std::string& path,
                          std::set<std::string, std::less<>>& made) {
    for (std::size_t slash = path.find('/'); slash != std::string::npos; slash = path.find('/', slash + 1)) {
      const std::string parent = path.substr(0, slash);
      if (made.contains(parent)) continue;
      const std::optional<TreeEntry> entry = tree.find(parent);
      if (!entry) throw Error(ErrorCode::conflict, "'" + parent + "' went away while it was saved");
      writer.add(*entry, stat_entry(*entry), TreeWriter::Content::copy);
      made.insert(parent);
    }
  }

  static struct stat root_info(const LayeredTree& tree) {
    struct stat info {};
    const fs::path& top = tree.layers().front();
    if (::stat(top.c_str(), &info) != 0) throw_errno("cannot read directory '" + top.string() + "'");
    return info;
  }

  fs::path root_;
  const Clock& clock_;
};

}  // namespace

std::unique_ptr<CacheStore> make_cache_store(fs::path root, const Clock& clock) {
  return std::make_unique<DirectoryCacheStore>(std::move(root), clock);
}

}  // namespace runner::cache
