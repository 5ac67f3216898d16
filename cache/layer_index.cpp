#include "cache/layer_index.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

#include "cache/layer_files.h"
#include "cache/layer_sync.h"
#include "cache/mount_point.h"
#include "runner/base/error.h"
#include "runner/base/fd.h"
#include "runner/base/files.h"
#include "runner/base/text.h"
#include "runner/database/row.h"
#include "runner/database/sqlite.h"

namespace runner::cache {
namespace {

// The log of changes grows by a page for each that is changed: enough to evict some thousand entries.
constexpr off_t kReserveSize = 1 << 20;

using database::as_integer;
using database::as_text;
using database::as_time;
using database::Row;
using database::to_value;
using database::Value;

#define RUNNER_LAYER_COLUMNS \
  "l.id, l.name, l.place, l.digest, l.twin, l.files, l.bytes, l.disk, l.hides, l.boot"
#define RUNNER_ENTRY_COLUMNS                                                                                 \
  "e.id, e.space, e.scope, e.key, e.family, e.inputs, e.origin, e.contents, e.saved_at, e.used_at, e.uses, " \
  "e.files, e.bytes"
#define RUNNER_ENTRIES                                     \
  "SELECT " RUNNER_ENTRY_COLUMNS ", " RUNNER_LAYER_COLUMNS \
  " FROM entries e JOIN stacks s ON s.entry = e.id JOIN layers l ON l.id = s.layer "

constexpr std::size_t kEntryColumns = 13;
constexpr std::string_view kEntryByName =
    RUNNER_ENTRIES "WHERE e.space = $1 AND e.scope = $2 AND e.key = $3 ORDER BY s.position";
constexpr std::string_view kEntries = RUNNER_ENTRIES
    "WHERE ($1 IS NULL OR e.space = $1) AND ($2 IS NULL OR e.scope = $2) AND ($3 IS NULL OR e.family = $3) "
    "ORDER BY e.space, e.scope, e.key, s.position";
constexpr std::string_view kNewestOfFamily = RUNNER_ENTRIES
    "WHERE e.id = (SELECT id FROM entries WHERE space = $1 AND scope = $2 AND family = $3 "
    "ORDER BY saved_at DESC, id DESC LIMIT 1) ORDER BY s.position";
constexpr std::string_view kLayerById = "SELECT " RUNNER_LAYER_COLUMNS " FROM layers l WHERE l.id = $1";
constexpr std::string_view kLayerByDigest =
    "SELECT " RUNNER_LAYER_COLUMNS " FROM layers l WHERE l.digest = $1";
constexpr std::string_view kLayers = "SELECT " RUNNER_LAYER_COLUMNS " FROM layers l ORDER BY l.id";
constexpr std::string_view kNextUnsealed =
    "SELECT " RUNNER_LAYER_COLUMNS
    " FROM layers l WHERE l.id > $1 AND l.digest IS NULL AND l.twin = 0 AND EXISTS (SELECT 1 FROM stacks s "
    "WHERE s.layer = l.id) ORDER BY l.id LIMIT 1";

#undef RUNNER_ENTRIES
#undef RUNNER_ENTRY_COLUMNS
#undef RUNNER_LAYER_COLUMNS

void append_text(std::string& list, std::string_view text) {
  list += std::to_string(text.size());
  list += ':';
  list += text;
}

std::vector<std::string> parse_texts(const std::string& list) {
  std::vector<std::string> texts;
  for (std::size_t at = 0; at < list.size();) {
    std::size_t length = 0;
    const char* end = list.data() + list.size();
    const auto [stop, error] = std::from_chars(list.data() + at, end, length);
    const auto begin = static_cast<std::size_t>(stop - list.data()) + 1;
    if (error != std::errc{} || stop == end || *stop != ':' || length > list.size() - begin) {
      throw Error(ErrorCode::corrupt, "a list of texts in the index of layers is damaged");
    }
    texts.push_back(list.substr(begin, length));
    at = begin + length;
  }
  return texts;
}

std::string format_hides(const std::vector<std::string>& hides) {
  std::string list;
  for (const std::string& path : hides) append_text(list, path);
  return list;
}

std::string format_inputs(const EntryFacts& facts) {
  std::string list;
  for (const auto& [name, value] : facts.inputs) {
    append_text(list, name);
    append_text(list, value);
  }
  return list;
}

EntryFacts parse_facts(const Row& row) {
  EntryFacts facts;
  facts.family = as_text(row[4]);
  std::vector<std::string> texts = parse_texts(as_text(row[5]));
  for (std::size_t i = 0; i + 1 < texts.size(); i += 2) {
    facts.inputs.emplace_back(std::move(texts[i]), std::move(texts[i + 1]));
  }
  facts.origin = as_text(row[6]);
  facts.contents = as_text(row[7]);
  return facts;
}

Space parse_space(const std::string& text) {
  for (const Space space : {Space::cache, Space::checkout, Space::artifact}) {
    if (to_string(space) == text) return space;
  }
  throw Error(ErrorCode::corrupt, "unknown space '" + text + "' in the index of layers");
}

EvictionReason parse_reason(const std::string& text) {
  for (const EvictionReason reason : {EvictionReason::budget, EvictionReason::unused, EvictionReason::removed,
                                      EvictionReason::damaged, EvictionReason::expired}) {
    if (to_string(reason) == text) return reason;
  }
  throw Error(ErrorCode::corrupt, "unknown reason '" + text + "' in the index of layers");
}

std::uint64_t as_count(const Value& value) {
  return static_cast<std::uint64_t>(as_integer(value));
}

Value count(std::uint64_t number) {
  return static_cast<std::int64_t>(number);
}

Value text(std::string_view value) {
  return std::string(value);
}

template <typename T>
Value text_or_null(const std::optional<T>& value) {
  if (!value) return std::monostate{};
  if constexpr (std::is_same_v<T, Space>) {
    return text(to_string(*value));
  } else {
    return text(*value);
  }
}

std::string text_or_empty(const Value& value) {
  return std::holds_alternative<std::monostate>(value) ? std::string() : as_text(value);
}

/// Names the file, and the mend.
void explain(Error& error, const std::filesystem::path& root) {
  const std::string file = in_quotes((root / "index.db").native());
  if (error.code() == ErrorCode::corrupt) {
    error.add_context("the index of layers " + file + " is damaged; remove the directory " +
                      in_quotes(root.native()) + " to start with empty caches");
  } else {
    error.add_context("cannot use the index of layers " + file);
    const std::string full = full_disk_context(error.system(), root);
    if (!full.empty()) error.add_context(full + "; " + kFullDiskMend);
  }
}

EntryRow to_entry(const Row& row) {
  EntryRow found;
  found.id = as_integer(row[0]);
  found.entry.name = {parse_space(as_text(row[1])), as_text(row[2]), as_text(row[3])};
  found.entry.facts = parse_facts(row);
  found.entry.saved_at = as_time(row[8]);
  found.entry.used_at = as_time(row[9]);
  found.entry.uses = as_count(row[10]);
  found.entry.files = as_count(row[11]);
  found.entry.bytes = as_count(row[12]);
  return found;
}

}  // namespace

std::string_view to_string(Space space) noexcept {
  switch (space) {
    case Space::cache:
      return "cache";
    case Space::checkout:
      return "checkout";
    case Space::artifact:
      return "artifact";
  }
  return "";
}

std::string_view to_string(EvictionReason reason) noexcept {
  switch (reason) {
    case EvictionReason::budget:
      return "budget";
    case EvictionReason::unused:
      return "unused";
    case EvictionReason::removed:
      return "removed";
    case EvictionReason::damaged:
      return "damaged";
    case EvictionReason::expired:
      return "expired";
  }
  return "";
}

std::vector<Row> IndexTx::query(std::string_view sql, const std::vector<Value>& args) {
  try {
    return sql_->query(sql, args);
  } catch (Error& error) {
    explain(error, root_);
    throw;
  }
}

void IndexTx::exec(std::string_view sql, const std::vector<Value>& args) {
  try {
    sql_->exec(sql, args);
  } catch (Error& error) {
    explain(error, root_);
    throw;
  }
}

void IndexTx::commit() {
  try {
    sql_->commit();
    sql_.reset();  // another one may begin
  } catch (Error& error) {
    explain(error, root_);
    throw;
  }
}

LayerRow IndexTx::to_layer(const Row& row, std::size_t first) const {
  LayerRow found;
  found.layer.id = as_integer(row[first]);
  found.name = as_text(row[first + 1]);
  found.place = as_text(row[first + 2]);
  found.layer.digest = text_or_empty(row[first + 3]);
  found.twin = as_integer(row[first + 4]) != 0;
  found.layer.files = as_count(row[first + 5]);
  found.layer.bytes = as_count(row[first + 6]);
  found.layer.disk = as_count(row[first + 7]);
  found.layer.hides = parse_texts(as_text(row[first + 8]));
  found.boot = text_or_empty(row[first + 9]);
  found.layer.tree = root_ / found.place / "tree";
  return found;
}

std::vector<EntryRow> IndexTx::rows_of(std::string_view sql, const std::vector<Value>& args) {
  std::vector<EntryRow> found;
  for (const Row& row : query(sql, args)) {
    if (found.empty() || found.back().id != as_integer(row[0])) found.push_back(to_entry(row));
    LayerRow layer = to_layer(row, kEntryColumns);
    found.back().entry.layers.push_back(layer.layer);
    found.back().layers.push_back(std::move(layer));
  }
  return found;
}

std::optional<EntryRow> IndexTx::entry(const EntryName& name) {
  auto found = rows_of(kEntryByName, {text(to_string(name.space)), text(name.scope), text(name.key)});
  if (found.empty()) return std::nullopt;
  return std::move(found.front());
}

std::vector<EntryRow> IndexTx::entries(const EntryFilter& filter) {
  return rows_of(kEntries,
                 {text_or_null(filter.space), text_or_null(filter.scope), text_or_null(filter.family)});
}

std::optional<EntryRow> IndexTx::newest_of_family(Space space, std::string_view scope,
                                                  std::string_view family) {
  auto found = rows_of(kNewestOfFamily, {text(to_string(space)), text(scope), text(family)});
  if (found.empty()) return std::nullopt;
  return std::move(found.front());
}

std::optional<LayerRow> IndexTx::one_layer(std::string_view sql, const std::vector<Value>& args) {
  const auto rows = query(sql, args);
  if (rows.empty()) return std::nullopt;
  return to_layer(rows.front(), 0);
}

std::optional<LayerRow> IndexTx::layer(std::int64_t id) {
  return one_layer(kLayerById, {id});
}

std::optional<LayerRow> IndexTx::layer_of_digest(std::string_view digest) {
  return one_layer(kLayerByDigest, {text(digest)});
}

std::optional<LayerRow> IndexTx::next_unsealed(std::int64_t after) {
  return one_layer(kNextUnsealed, {after});
}

std::vector<LayerRow> IndexTx::layers() {
  std::vector<LayerRow> found;
  for (const Row& row : query(kLayers, {})) found.push_back(to_layer(row, 0));
  return found;
}

std::int64_t IndexTx::add_layer(const std::string& name, const Draft::Content& content,
                                const std::string& boot) {
  const auto rows = query(
      "INSERT INTO layers (name, place, files, bytes, disk, hides, boot) VALUES ($1, $2, $3, $4, $5, $6, $7) "
      "RETURNING id",
      {text(name), text("new/" + name), count(content.files), count(content.bytes), count(content.disk),
       text(format_hides(content.hides)), text(boot)});
  return as_integer(rows.at(0)[0]);
}

std::int64_t IndexTx::put_entry(const NewEntry& entry, TimePoint now) {
  const Value space = text(to_string(entry.name.space));
  const auto rows = query(
      "INSERT INTO entries (space, scope, key, family, inputs, origin, contents, saved_at, used_at, uses, "
      "files, bytes) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, $10, $11) "
      "ON CONFLICT (space, scope, key) DO UPDATE SET family = $4, inputs = $5, origin = $6, contents = $7, "
      "saved_at = $8, used_at = $9, files = $10, bytes = $11 RETURNING id",
      {space, text(entry.name.scope), text(entry.name.key), text(entry.facts.family),
       text(format_inputs(entry.facts)), text(entry.facts.origin), text(entry.facts.contents),
       to_value(entry.saved_at.value_or(now)), to_value(now), count(entry.files), count(entry.bytes)});
  exec("DELETE FROM evictions WHERE space = $1 AND scope = $2 AND key = $3",
       {space, text(entry.name.scope), text(entry.name.key)});
  return as_integer(rows.at(0)[0]);
}

void IndexTx::set_stack(std::int64_t entry, std::span<const std::int64_t> layers) {
  exec("DELETE FROM stacks WHERE entry = $1", {entry});
  std::int64_t position = 0;
  for (const std::int64_t layer : layers) {
    exec("INSERT INTO stacks (entry, position, layer) VALUES ($1, $2, $3)", {entry, position++, layer});
  }
}

void IndexTx::evict(const EntryRow& row, EvictionReason reason, std::string_view detail, TimePoint now) {
  exec(
      "INSERT INTO evictions (space, scope, key, reason, detail, at, saved_at, used_at) VALUES ($1, $2, $3, "
      "$4, $5, $6, $7, $8) ON CONFLICT (space, scope, key) DO UPDATE SET reason = $4, detail = $5, at = $6, "
      "saved_at = $7, used_at = $8",
      {text(to_string(row.entry.name.space)), text(row.entry.name.scope), text(row.entry.name.key),
       text(to_string(reason)), text(detail), to_value(now), to_value(row.entry.saved_at),
       to_value(row.entry.used_at)});
  exec("DELETE FROM entries WHERE id = $1", {row.id});
}

bool IndexTx::knows(const EntryName& name) {
  return !query(
              "SELECT 1 FROM entries WHERE space = $1 AND scope = $2 AND key = $3 UNION ALL "
              "SELECT 1 FROM evictions WHERE space = $1 AND scope = $2 AND key = $3 LIMIT 1",
              {text(to_string(name.space)), text(name.scope), text(name.key)})
              .empty();
}

void IndexTx::forget(const EntryName& name) {
  const std::vector<Value> which{text(to_string(name.space)), text(name.scope), text(name.key)};
  exec("DELETE FROM entries WHERE space = $1 AND scope = $2 AND key = $3", which);
  exec("DELETE FROM evictions WHERE space = $1 AND scope = $2 AND key = $3", which);
}

void IndexTx::note_uses(std::int64_t entry, std::uint64_t more, TimePoint at) {
  exec("UPDATE entries SET uses = uses + $2, used_at = MAX(used_at, $3) WHERE id = $1",
       {entry, count(more), to_value(at)});
}

std::optional<Eviction> IndexTx::eviction(const EntryName& name) {
  const auto rows = query(
      "SELECT reason, detail, at, saved_at, used_at FROM evictions WHERE space = $1 AND scope = $2 AND key = "
      "$3",
      {text(to_string(name.space)), text(name.scope), text(name.key)});
  if (rows.empty()) return std::nullopt;
  const Row& row = rows.front();
  return Eviction{
      name,           parse_reason(as_text(row[0])), as_text(row[1]), as_time(row[2]), as_time(row[3]),
      as_time(row[4])};
}

void IndexTx::forget_evictions(TimePoint before) {
  exec("DELETE FROM evictions WHERE at < $1", {to_value(before)});
}

void IndexTx::add_use(std::int64_t layer, const std::string& holder) {
  exec("INSERT INTO uses (layer, holder) VALUES ($1, $2) ON CONFLICT DO NOTHING", {layer, text(holder)});
}

void IndexTx::drop_use(std::int64_t layer, const std::string& holder) {
  exec("DELETE FROM uses WHERE layer = $1 AND holder = $2", {layer, text(holder)});
}

void IndexTx::drop_holder(const std::string& holder) {
  exec("DELETE FROM uses WHERE holder = $1", {text(holder)});
}

std::vector<UseRow> IndexTx::uses() {
  std::vector<UseRow> found;
  for (const Row& row : query("SELECT layer, holder FROM uses", {})) {
    found.push_back({as_integer(row[0]), as_text(row[1])});
  }
  return found;
}

void IndexTx::delete_layer(std::int64_t id) {
  exec("DELETE FROM uses WHERE layer = $1", {id});
  exec("DELETE FROM layers WHERE id = $1", {id});
}

void IndexTx::seal(std::int64_t id, const std::string& digest, const std::string& place) {
  exec("UPDATE layers SET digest = $2, place = $3 WHERE id = $1", {id, text(digest), text(place)});
}

void IndexTx::replace_by_twin(std::int64_t id, std::int64_t other) {
  exec(
      "UPDATE stacks SET layer = $2 WHERE layer = $1 AND entry NOT IN (SELECT entry FROM stacks WHERE layer "
      "= "
      "$2)",
      {id, other});
  exec("UPDATE layers SET twin = 1 WHERE id = $1", {id});
}

void IndexTx::clear_boot(const std::string& boot, std::int64_t last) {
  exec("UPDATE layers SET boot = NULL WHERE boot = $1 AND id <= $2", {text(boot), last});
}

std::int64_t IndexTx::last_unsynced(const std::string& boot) {
  return as_integer(query("SELECT COALESCE(MAX(id), 0) FROM layers WHERE boot = $1", {text(boot)}).at(0)[0]);
}

bool IndexTx::has_unsynced(const std::string& boot, std::int64_t last) {
  return !query("SELECT 1 FROM layers WHERE boot = $1 AND id <= $2 LIMIT 1", {text(boot), last}).empty();
}

std::string IndexTx::check() {
  const auto rows = query("PRAGMA quick_check(1)", {});
  const std::string said = rows.empty() ? "no answer" : as_text(rows[0][0]);
  return said == "ok" ? std::string() : said;
}

void LayerIndex::checkpoint_if_long() {
  constexpr std::uintmax_t kLong = 1U << 20U;
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(root_ / "index.db-wal", error);
  if (!error && size > kLong) database().checkpoint();
}

void LayerIndex::take_over_marks(database::Database& database) {
  std::vector<SyncMark> marks = done_marks(root_);
  if (marks.empty()) return;
  IndexTx look(database.begin(database::TxMode::read), root_);
  const auto is_news = [&](const SyncMark& mark) {
    return mark.boot != boot_ && look.has_unsynced(mark.boot, mark.last);
  };
  if (std::none_of(marks.begin(), marks.end(), is_news)) return;
  look.commit();
  IndexTx tx(database.begin(database::TxMode::write), root_);
  for (const SyncMark& mark : marks) tx.clear_boot(mark.boot, mark.last);
  tx.commit();
}

database::Database& LayerIndex::database() {
  const std::lock_guard lock(mutex_);
  if (database_) return *database_;
  std::error_code error;
  if (!std::filesystem::exists(root_ / "index.db", error)) forget_marks(root_);
  auto opened = database::open_sqlite_file(root_ / "index.db", database::Durability::normal);
  database::migrate(*opened, embedded_migrations(), clock_.now());
  take_over_marks(*opened);
  database_ = std::move(opened);
  keep_reserve();
  return *database_;
}

void LayerIndex::keep_reserve() noexcept {
  const std::filesystem::path path = root_ / kReserve;
  if (::access(path.c_str(), F_OK) == 0) return;
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  // Without room there is none, and one that is too short is no help.
  if (file && ::fallocate(file.get(), 0, 0, kReserveSize) != 0) ::unlink(path.c_str());
}

bool LayerIndex::give_reserve() noexcept {
  return ::unlink((root_ / kReserve).c_str()) == 0;
}

IndexTx LayerIndex::begin(database::TxMode mode) {
  constexpr int kTries = 4;
  for (int attempt = 1;; ++attempt) {
    try {
      return IndexTx(database().begin(mode), root_);
    } catch (Error& error) {
      // Other processes may be many: each try waits for seconds already.
      if (error.code() == ErrorCode::unavailable && attempt < kTries) continue;
      explain(error, root_);
      throw;
    }
  }
}

}  // namespace runner::cache
