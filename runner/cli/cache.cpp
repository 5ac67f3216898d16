// `runner cache ...`: what is kept between pipelines.

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <set>

#include "runner/base/text.h"
#include "runner/cli/cache_commands.h"
#include "runner/cli/commands.h"
#include "runner/cli/environment.h"
#include "runner/cli/local_checkout.h"
#include "runner/cli/messages.h"
#include "runner/cli/project.h"
#include "runner/cli/table.h"

namespace runner::cli {
namespace {

using cache::Entry;
using cache::Layer;

constexpr std::size_t kShortDigest = 12;

/// Blocks on disk of all of them; a layer that several entries stand on counts once.
std::uint64_t disk_of(const std::vector<Entry>& entries) {
  std::set<std::int64_t> seen;
  std::uint64_t disk = 0;
  for (const Entry& entry : entries) {
    for (const Layer& layer : entry.layers) {
      if (seen.insert(layer.id).second) disk += layer.disk;
    }
  }
  return disk;
}

void write_entry(JsonWriter& json, const Entry& entry) {
  json.member("scope", entry.name.scope).member("key", entry.name.key);
  json.member("files", entry.files).member("bytes", entry.bytes);
  json.member("saved_at", format_iso8601(entry.saved_at)).member("used_at", format_iso8601(entry.used_at));
  json.member("uses", entry.uses).member("origin", entry.facts.origin);
}

int list_json(const std::vector<Entry>& entries) {
  JsonWriter json = json_output();
  json.begin_array();
  for (const Entry& entry : entries) {
    json.begin_object();
    write_entry(json, entry);
    json.member("layers", std::uint64_t{entry.layers.size()}).end_object();
  }
  json.end_array().flush();
  print("\n");
  return exit_success;
}

std::vector<std::string> row_of(const CacheDesk& desk, const Entry& entry) {
  std::vector<std::string> row{entry.name.key,
                               grouped(entry.files),
                               format_bytes(entry.bytes),
                               std::to_string(entry.layers.size()),
                               ago(entry.saved_at, desk.clock),
                               ago(entry.used_at, desk.clock),
                               grouped(entry.uses),
                               entry.facts.origin};
  if (desk.options.all) row.insert(row.begin(), entry.name.scope);
  return row;
}

// "sha256:0123456789ab", or that there is none yet.
std::string digest_text(const Layer& layer) {
  if (layer.digest.empty()) return "(not hashed yet)";
  return layer.digest.substr(0, layer.digest.find(':') + 1 + kShortDigest);
}

std::string layers_text(const CacheDesk& desk, const Entry& entry) {
  std::vector<std::vector<std::string>> rows;
  for (const Layer& layer : entry.layers) {
    rows.push_back({"  " + digest_text(layer), grouped(layer.files), format_bytes(layer.bytes),
                    format_bytes(layer.disk), grouped(layer.hides.size()), layer.tree.string()});
  }
  using Align = Column::Align;
  const std::vector<Column> columns{{"  LAYER", Align::left}, {"FILES", Align::right},
                                    {"SIZE", Align::right},   {"ON DISK", Align::right},
                                    {"HIDES", Align::right},  {"TREE", Align::left}};
  return table_text(desk.screen, columns, rows);
}

int show_json(const Entry& entry) {
  JsonWriter json = json_output();
  json.begin_object();
  write_entry(json, entry);
  json.member("family", entry.facts.family).member("contents", entry.facts.contents);
  json.key("inputs").begin_array();
  for (const auto& [name, value] : entry.facts.inputs) {
    json.begin_object().member("name", name).member("value", value).end_object();
  }
  json.end_array().key("layers").begin_array();
  for (const Layer& layer : entry.layers) {
    json.begin_object().key("digest");
    if (layer.digest.empty()) {
      json.null();
    } else {
      json.value(layer.digest);
    }
    json.member("files", layer.files).member("bytes", layer.bytes).member("disk", layer.disk);
    json.member("hides", layer.hides).member("tree", layer.tree.string()).end_object();
  }
  json.end_array().end_object().flush();
  print("\n");
  return exit_success;
}

std::string when_text(TimePoint time, const Clock& clock) {
  return ago(time, clock) + " (" + format_iso8601(time) + ")";
}

}  // namespace

void print(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

JsonWriter json_output() {
  return JsonWriter([](std::string_view text) { print(text); });
}

std::string ago(TimePoint then, const Clock& clock) {
  return format_duration(std::max(clock.now() - then, std::chrono::milliseconds(0))) + " ago";
}

std::string grouped(std::uint64_t number) {
  std::string text = std::to_string(number);
  for (std::size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, 1, ',');
  return text;
}

std::string count_of(std::uint64_t number, std::string_view noun) {
  const std::string_view plural = noun == "entry" ? "entries" : "";
  if (number == 1) return "1 " + std::string(noun);
  return grouped(number) + " " + (plural.empty() ? std::string(noun) + "s" : std::string(plural));
}

std::string inputs_text(const cache::EntryFacts& facts) {
  std::size_t width = 0;
  for (const auto& [name, value] : facts.inputs) width = std::max(width, display_width(name));
  std::string out;
  for (const auto& [name, value] : facts.inputs) {
    if (!out.empty()) out += '\n';
    out += name + std::string(width - display_width(name) + 2, ' ') + value;
  }
  return out.empty() ? "a text without variables" : out;
}

void print_unknown_key(const CacheDesk& desk, const std::string& key) {
  const std::vector<Entry> entries = desk.store.list({cache::Space::cache, desk.scope, std::nullopt});
  std::vector<std::string_view> keys;
  keys.reserve(entries.size());
  for (const Entry& entry : entries) keys.push_back(entry.name.key);
  // People know the key of the file, the store the one with its suffix.
  auto near = nearest(key, keys);
  for (const std::string_view suffix : {"-non_protected", "-protected"}) {
    if (!near) near = nearest(key + std::string(suffix), keys);
  }
  print_error("there is no cache " + in_quotes(key) + " of " + in_quotes(desk.scope),
              near ? "did you mean " + in_quotes(*near) + "?" : "'runner cache list' shows the keys");
}

int list_caches(const CacheDesk& desk) {
  cache::EntryFilter filter{cache::Space::cache, std::nullopt, std::nullopt};
  if (!desk.options.all) filter.scope = desk.scope;
  const std::vector<Entry> entries = desk.store.list(filter);
  if (desk.options.common.json) return list_json(entries);
  if (desk.options.quiet) {
    for (const Entry& entry : entries) print(entry.name.key + "\n");
    return exit_success;
  }
  if (entries.empty()) {
    print_notice(desk.options.all ? "there are no caches"
                                  : "there are no caches of " + in_quotes(desk.scope) +
                                        "; 'runner cache list --all' lists those of all projects");
    return exit_success;
  }
  using Align = Column::Align;
  std::vector<Column> columns{{"KEY", Align::left},     {"FILES", Align::right}, {"SIZE", Align::right},
                              {"LAYERS", Align::right}, {"SAVED", Align::right}, {"USED", Align::right},
                              {"USES", Align::right},   {"BY", Align::left}};
  if (desk.options.all) columns.insert(columns.begin(), {"SCOPE", Align::left});
  std::vector<std::vector<std::string>> rows;
  rows.reserve(entries.size());
  for (const Entry& entry : entries) rows.push_back(row_of(desk, entry));
  print(table_text(desk.screen, columns, rows));
  print(paint(desk.screen, Tone::dim,
              count_of(entries.size(), "cache") + ", " + format_bytes(disk_of(entries)) + " on disk") +
        "\n");
  return exit_success;
}

int show_cache(const CacheDesk& desk) {
  const std::string& key = desk.options.names.front();
  const std::vector<Entry> entries = desk.store.list({cache::Space::cache, desk.scope, std::nullopt});
  const auto found =
      std::find_if(entries.begin(), entries.end(), [&](const Entry& entry) { return entry.name.key == key; });
  if (found == entries.end()) {
    print_unknown_key(desk, key);
    return exit_usage;
  }
  if (desk.options.common.json) return show_json(*found);
  const Entry& entry = *found;
  print(
      facts_text(desk.screen, {{"key", entry.name.key},
                               {"scope", entry.name.scope},
                               {"content", count_of(entry.files, "file") + ", " + format_bytes(entry.bytes)},
                               {"saved", when_text(entry.saved_at, desk.clock)},
                               {"by", entry.facts.origin},
                               {"used", when_text(entry.used_at, desk.clock)},
                               {"uses", grouped(entry.uses)},
                               {"made from", inputs_text(entry.facts)},
                               {"paths", std::string(trim(entry.facts.contents))},
                               {"on disk", format_bytes(disk_of({entry})) + " in " +
                                               count_of(entry.layers.size(), "layer") + ", top first:"}}));
  print(layers_text(desk, entry));
  for (const Layer& layer : entry.layers) {
    for (const std::string& path : layer.hides) {
      print("  " + digest_text(layer) + " hides " + printable(path) + "\n");
    }
  }
  return exit_success;
}

int run_cache(const CacheOptions& options) {
  enter_directory(options.common.directory);
  const SystemClock clock;
  const auto store = cache::LayerStore::open(layers_directory(data_directory(options.common.data)), clock);
  const bool of_one_project = options.action == CacheAction::list || options.action == CacheAction::show ||
                              options.action == CacheAction::remove || options.action == CacheAction::explain;
  std::string scope = options.scope.value_or("");
  if (of_one_project && !options.scope) scope = scope_of(Project::open().root());
  const CacheDesk desk{options, clock, *store, detect_screen(STDOUT_FILENO, options.common.no_color), scope};
  switch (options.action) {
    case CacheAction::list:
      return list_caches(desk);
    case CacheAction::show:
      return show_cache(desk);
    case CacheAction::remove:
      return remove_caches(desk);
    case CacheAction::collect:
      return collect_caches(desk);
    case CacheAction::verify:
      return verify_caches(desk);
    case CacheAction::explain:
      break;
  }
  return explain_caches(desk);
}

}  // namespace runner::cli
