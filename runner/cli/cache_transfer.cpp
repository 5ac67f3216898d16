// `runner cache export` and `import`: caches between machines.

#include <algorithm>
#include <cstdio>

#include "cache/transfer.h"
#include "runner/base/error.h"
#include "runner/base/text.h"
#include "runner/cli/commands.h"
#include "runner/cli/environment.h"
#include "runner/cli/json_writer.h"
#include "runner/cli/local_checkout.h"
#include "runner/cli/messages.h"
#include "runner/cli/project.h"
#include "runner/cli/table.h"

namespace runner::cli {
namespace {

using cache::EntryName;
using cache::TransferReport;

void print_text(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

std::string count(std::uint64_t number, std::string_view one, std::string_view more) {
  return std::to_string(number) + " " + std::string(number == 1 ? one : more);
}

void print_json(const TransferReport& report) {
  JsonWriter json([](std::string_view text) { print_text(text); });
  json.begin_object().key("entries").begin_array();
  for (const EntryName& name : report.entries)
    json.begin_object().member("scope", name.scope).member("key", name.key).end_object();
  json.end_array().member("entries_there", report.entries_there);
  json.member("layers_moved", report.layers_moved).member("layers_there", report.layers_there);
  json.member("bytes", report.bytes).key("refused").begin_array();
  for (const std::string& why : report.refused) json.value(why);
  json.end_array().end_object().flush();
  print_text("\n");
}

void print_report(const TransferReport& report, std::string_view done) {
  for (const EntryName& name : report.entries)
    print_text(std::string(done) + " " + printable(in_quotes(name.key)) + "\n");
  if (report.entries_there > 0)
    print_text(count(report.entries_there, "cache", "caches") + " stayed: what is here is not older\n");
  print_text(count(report.layers_moved, "layer", "layers") + " moved, " + format_bytes(report.bytes) +
             " packed; " + std::to_string(report.layers_there) + " there already\n");
}

/// All of the scope, or those of the keys. nullopt: one is not there, and said so.
std::optional<std::vector<EntryName>> chosen(cache::LayerStore& store, const std::string& scope,
                                             const std::vector<std::string>& keys) {
  std::vector<std::string> all;
  for (const auto& entry : store.list({cache::Space::cache, scope, std::nullopt}))
    all.push_back(entry.name.key);
  std::vector<EntryName> names;
  for (const std::string& key : keys.empty() ? all : keys) {
    if (std::ranges::find(all, key) == all.end()) {
      const std::vector<std::string_view> known(all.begin(), all.end());
      const auto near = nearest(key, known);
      print_error("there is no cache " + in_quotes(key) + " of " + in_quotes(scope),
                  near ? "did you mean " + in_quotes(*near) + "?" : "'runner cache list' shows the keys");
      return std::nullopt;
    }
    names.push_back({cache::Space::cache, scope, key});
  }
  return names;
}

std::optional<TransferReport> transfer(const CacheTransferOptions& options, cache::LayerStore& store,
                                       const std::string& scope) {
  const std::filesystem::path place = std::filesystem::absolute(options.place);
  std::error_code ignored;
  if (options.imports && !std::filesystem::is_directory(place, ignored)) {
    print_error("there is no directory " + in_quotes(place.native()),
                "--from names the one that 'runner cache export' wrote");
    return std::nullopt;
  }
  const auto blobs = cache::make_directory_blobs(place);
  if (options.imports) return cache::import_entries(store, *blobs, options.keys, scope);
  const auto names = chosen(store, scope, options.keys);
  if (!names) return std::nullopt;
  return cache::export_entries(store, *names, *blobs);
}

}  // namespace

int run_cache_transfer(const CacheTransferOptions& options) {
  enter_directory(options.common.directory);
  const SystemClock clock;
  const auto store = cache::LayerStore::open(layers_directory(data_directory(options.common.data)), clock);
  const std::string scope = options.scope ? *options.scope : scope_of(Project::open().root());
  std::optional<TransferReport> report;
  try {
    report = transfer(options, *store, scope);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::not_found) throw;
    print_error(error.what());
    return exit_usage;
  }
  if (!report) return exit_usage;
  if (options.imports) store->start_sync();
  for (const std::string& why : report->refused) print_error(why);
  const int code = report->refused.empty() ? exit_success : exit_failed;
  if (options.common.json) {
    print_json(*report);
  } else if (report->entries.empty() && report->entries_there == 0) {
    if (code == exit_success)
      print_notice(options.imports ? "there are no packed caches in " + in_quotes(options.place.native())
                                   : "there are no caches of " + in_quotes(scope));
  } else {
    print_report(*report, options.imports ? "imported" : "exported");
  }
  return code;
}

}  // namespace runner::cli
