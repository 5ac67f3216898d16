// `runner cache remove`, `gc` and `verify`.

#include <algorithm>

#include "cache/housekeeper.h"
#include "runner/base/text.h"
#include "runner/cli/cache_commands.h"
#include "runner/cli/commands.h"
#include "runner/cli/messages.h"
#include "runner/cli/table.h"

namespace runner::cli {
namespace {

using cache::CollectReport;
using cache::Entry;
using cache::Eviction;

/// Those that were named, all of them or none. nullopt: one is not there, and said so.
std::optional<std::vector<Entry>> chosen(const CacheDesk& desk) {
  std::vector<Entry> entries = desk.store.list({cache::Space::cache, desk.scope, std::nullopt});
  if (desk.options.all) return entries;
  std::vector<Entry> out;
  for (const std::string& key : desk.options.names) {
    const auto same = [&](const Entry& entry) { return entry.name.key == key; };
    const auto found = std::find_if(entries.begin(), entries.end(), same);
    if (found == entries.end()) {
      print_unknown_key(desk, key);
      return std::nullopt;
    }
    if (std::none_of(out.begin(), out.end(), same)) out.push_back(*found);
  }
  return out;
}

void write_freed(JsonWriter& json, const CollectReport& report) {
  json.member("layers", report.layers).member("bytes", report.bytes);
  json.member("kept_bytes", report.kept_bytes).member("held_bytes", report.held_bytes);
}

std::string kept_text(const CollectReport& report) {
  std::string text = format_bytes(report.kept_bytes) + " stay";
  if (report.held_bytes > 0)
    text += ", " + format_bytes(report.held_bytes) + " of it only until running jobs end";
  return text;
}

std::string why_text(const Eviction& eviction) {
  const std::string reason(cache::to_string(eviction.reason));
  return eviction.detail.empty() ? reason : reason + ": " + eviction.detail;
}

int print_collected_json(const CollectReport& report, bool dry_run) {
  JsonWriter json = json_output();
  json.begin_object().member("dry_run", dry_run).key("evicted").begin_array();
  for (const Eviction& gone : report.evicted) {
    json.begin_object().key("space").value(cache::to_string(gone.name.space));
    json.member("scope", gone.name.scope).member("key", gone.name.key);
    json.key("reason").value(cache::to_string(gone.reason));
    json.member("detail", gone.detail).member("saved_at", format_iso8601(gone.saved_at));
    json.member("used_at", format_iso8601(gone.used_at)).end_object();
  }
  json.end_array();
  write_freed(json, report);
  json.end_object().flush();
  print("\n");
  return exit_success;
}

}  // namespace

int remove_caches(const CacheDesk& desk) {
  const auto entries = chosen(desk);
  if (!entries) return exit_usage;
  std::vector<const Entry*> removed;
  for (const Entry& entry : *entries) {
    // Gone meanwhile is as good as removed, but not by us.
    if (desk.store.remove(entry.name, cache::EvictionReason::removed, "by 'runner cache remove'")) {
      removed.push_back(&entry);
    }
  }
  const CollectReport report = desk.store.collect({});
  if (desk.options.common.json) {
    JsonWriter json = json_output();
    json.begin_object().key("removed").begin_array();
    for (const Entry* entry : removed) json.value(entry->name.key);
    json.end_array();
    write_freed(json, report);
    json.end_object().flush();
    print("\n");
    return exit_success;
  }
  for (const Entry* entry : removed) {
    print("removed " + printable(in_quotes(entry->name.key)) + ": " + count_of(entry->files, "file") + ", " +
          format_bytes(entry->bytes) + "\n");
  }
  if (removed.empty()) print_notice("there was nothing to remove");
  if (!removed.empty()) print(format_bytes(report.bytes) + " of the disk freed, " + kept_text(report) + "\n");
  return exit_success;
}

int collect_caches(const CacheDesk& desk) {
  cache::CollectPolicy policy;
  policy.budget = desk.options.budget ? *desk.options.budget : cache::default_budget(desk.store.root());
  policy.unused_for = desk.options.older_than;
  policy.dry_run = desk.options.dry_run;
  if (!policy.dry_run) desk.store.recover();
  const CollectReport report = desk.store.collect(policy);
  if (desk.options.common.json) return print_collected_json(report, policy.dry_run);
  std::vector<std::vector<std::string>> rows;
  for (const Eviction& gone : report.evicted) {
    rows.push_back({std::string(cache::to_string(gone.name.space)), gone.name.key,
                    ago(gone.saved_at, desk.clock), ago(gone.used_at, desk.clock), why_text(gone),
                    gone.name.scope});
  }
  using Align = Column::Align;
  const std::vector<Column> columns{{"WHAT", Align::left},  {"KEY", Align::left}, {"SAVED", Align::right},
                                    {"USED", Align::right}, {"WHY", Align::left}, {"SCOPE", Align::left}};
  print(table_text(desk.screen, columns, rows));
  print((policy.dry_run ? "would remove " : "removed ") + count_of(report.evicted.size(), "entry") + " and " +
        count_of(report.layers, "layer") + ", " + format_bytes(report.bytes) + "; " + kept_text(report) +
        "\n");
  return exit_success;
}

int verify_caches(const CacheDesk& desk) {
  const cache::VerifyReport report = desk.store.verify(desk.options.content);
  const int code = report.problems.empty() ? exit_success : exit_failed;
  if (desk.options.common.json) {
    JsonWriter json = json_output();
    json.begin_object().member("entries", report.entries).member("layers", report.layers);
    json.member("hashed", report.hashed).member("bytes", report.bytes).key("problems").begin_array();
    for (const cache::VerifyProblem& problem : report.problems) {
      json.begin_object().member("path", problem.path.string()).member("what", problem.what).end_object();
    }
    json.end_array().end_object().flush();
    print("\n");
    return code;
  }
  for (const cache::VerifyProblem& problem : report.problems) {
    print(printable(problem.path.string()) + ": " + printable(problem.what) + "\n");
  }
  std::string text = count_of(report.entries, "entry") + ", " + count_of(report.layers, "layer");
  if (desk.options.content) {
    text += ", " + format_bytes(report.bytes) + " of " + count_of(report.hashed, "layer") + " read";
  }
  print(text + ": " +
        (report.problems.empty() ? "all is well" : count_of(report.problems.size(), "problem")) + "\n");
  return code;
}

}  // namespace runner::cli
