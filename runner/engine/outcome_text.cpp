#include "runner/engine/outcome_text.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "runner/base/error.h"
#include "runner/engine/entry_json.h"
#include "runner/engine/exact_json.h"

namespace runner::engine {
namespace {

using nlohmann::json;

json to_json(const Collected& collected) {
  json value = json::object();
  if (collected.layer) value["layer"] = entry_to_json(collected.layer->name);
  if (!collected.name.empty()) value["name"] = exact(collected.name);
  if (collected.format == artifacts::ArchiveFormat::tar_zst) value["tar_zst"] = true;
  value["compression"] = collected.compression;
  if (!collected.dotenv.empty()) value["dotenv"] = exact(collected.dotenv);
  if (collected.tests_total) value["tests_total"] = *collected.tests_total;
  if (collected.tests_failed) value["tests_failed"] = *collected.tests_failed;
  if (!collected.error.empty()) value["error"] = exact(collected.error);
  return value;
}

template <typename T>
std::optional<T> optional_of(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) return std::nullopt;
  return found->get<T>();
}

std::string text_of(const json& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() ? std::string() : exact_text(*found);
}

Collected collected_of(const json& value, const FindEntry& find, std::string& lost) {
  Collected collected;
  if (const auto layer = value.find("layer"); layer != value.end()) {
    const cache::EntryName name = entry_name(*layer);
    if (find) collected.layer = find(name, lost);
    if (!collected.layer && lost.empty()) lost = "nobody kept them";
  }
  collected.name = text_of(value, "name");
  if (value.value("tar_zst", false)) collected.format = artifacts::ArchiveFormat::tar_zst;
  collected.compression = value.value("compression", 0);
  if (const auto dotenv = value.find("dotenv"); dotenv != value.end())
    collected.dotenv = exact_pairs(*dotenv);
  collected.tests_total = optional_of<std::uint64_t>(value, "tests_total");
  collected.tests_failed = optional_of<std::uint64_t>(value, "tests_failed");
  collected.error = text_of(value, "error");
  return collected;
}

json to_json(const ArchiveView& archive) {
  return json{{"name", exact(archive.name)},
              {"path", exact(archive.path.native())},
              {"sha256", archive.sha256},
              {"bytes", archive.bytes},
              {"files", archive.files}};
}

std::optional<ArchiveView> archive_of(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) return std::nullopt;
  return ArchiveView{exact_text(found->at("name")), exact_text(found->at("path")),
                     found->at("sha256").get<std::string>(), found->at("bytes").get<std::uint64_t>(),
                     found->at("files").get<std::uint64_t>()};
}

/// What results and outcomes share.
template <typename T>
void write_common(json& value, const T& from) {
  value["collected"] = to_json(from.collected);
  if (from.coverage) value["coverage"] = *from.coverage;
  if (!from.warnings.empty()) value["warnings"] = exact(from.warnings);
  if (!from.environment_url.empty()) value["environment_url"] = exact(from.environment_url);
}

template <typename T>
void read_common(const json& value, T& to, const FindEntry& find) {
  if (const auto found = value.find("collected"); found != value.end())
    to.collected = collected_of(*found, find, to.lost);
  to.coverage = optional_of<double>(value, "coverage");
  if (const auto found = value.find("warnings"); found != value.end()) to.warnings = exact_texts(*found);
  to.environment_url = text_of(value, "environment_url");
}

/// Runs `read` on the parsed text; whatever is wrong with it becomes one kind of error.
template <typename Read>
void parse(std::string_view text, const char* what, const Read& read) {
  try {
    const json value = json::parse(text);
    if (!value.is_object()) throw Error(ErrorCode::corrupt, "it is no object");
    read(value);
  } catch (const json::exception& error) {
    throw Error(ErrorCode::corrupt, std::string(what) + " cannot be read: " + error.what());
  } catch (Error& error) {
    error.add_context(std::string(what) + " cannot be read");
    throw;
  }
}

constexpr const char* kKinds[] = {"success", "failed", "canceled"};

}  // namespace

std::string freeze(const JobResult& result) {
  json value = json::object();
  value["slot"] = result.slot;
  if (result.archiving) value["archiving"] = true;
  if (!result.lost.empty()) value["lost"] = exact(result.lost);
  write_common(value, result);
  if (result.archive) value["archive"] = to_json(*result.archive);
  if (result.reports) value["reports"] = to_json(*result.reports);
  return value.dump();
}

JobResult thaw_result(std::string_view text, const FindEntry& find) {
  JobResult result;
  parse(text, "what is known of a job", [&](const json& value) {
    result.slot = value.value("slot", std::size_t{0});
    result.archiving = value.value("archiving", false);
    result.lost = text_of(value, "lost");
    read_common(value, result, find);
    result.archive = archive_of(value, "archive");
    result.reports = archive_of(value, "reports");
  });
  return result;
}

std::string freeze(const JobOutcome& outcome) {
  json value = json::object();
  value["kind"] = kKinds[static_cast<std::size_t>(outcome.result.kind)];
  if (outcome.result.kind == RunResult::Kind::failed)
    value["failure"] = std::string(pipelines::to_string(outcome.result.failure));
  if (outcome.result.exit_code) value["exit_code"] = *outcome.result.exit_code;
  if (!outcome.result.reason.empty()) value["reason"] = exact(outcome.result.reason);
  if (outcome.collected.reports || outcome.reports) value["reports"] = true;
  if (outcome.cache_hits != 0) value["cache_hits"] = outcome.cache_hits;
  if (outcome.cache_misses != 0) value["cache_misses"] = outcome.cache_misses;
  write_common(value, outcome);
  return value.dump();
}

JobOutcome thaw_outcome(std::string_view text, const FindEntry& find) {
  JobOutcome outcome;
  parse(text, "the outcome of a job", [&](const json& value) {
    const auto kind = value.at("kind").get<std::string>();
    if (kind == kKinds[0]) {
      outcome.result.kind = RunResult::Kind::success;
    } else if (kind == kKinds[1]) {
      outcome.result.kind = RunResult::Kind::failed;
    } else if (kind == kKinds[2]) {
      outcome.result.kind = RunResult::Kind::canceled;
    } else {
      throw Error(ErrorCode::corrupt, "a job cannot end as '" + kind + "'");
    }
    if (const auto failure = optional_of<std::string>(value, "failure"))
      outcome.result.failure =
          pipelines::parse_failure_reason(*failure).value_or(pipelines::FailureReason::unknown_failure);
    outcome.result.exit_code = optional_of<int>(value, "exit_code");
    outcome.result.reason = text_of(value, "reason");
    outcome.reports = value.value("reports", false);
    outcome.cache_hits = value.value("cache_hits", std::uint64_t{0});
    outcome.cache_misses = value.value("cache_misses", std::uint64_t{0});
    read_common(value, outcome, find);
  });
  return outcome;
}

std::string freeze(const Archives& archives) {
  json value = json::object();
  if (archives.archive) value["archive"] = to_json(*archives.archive);
  if (archives.reports) value["reports"] = to_json(*archives.reports);
  if (!archives.error.empty()) value["error"] = exact(archives.error);
  return value.dump();
}

Archives thaw_archives(std::string_view text) {
  Archives archives;
  parse(text, "what is known of archives", [&](const json& value) {
    archives.archive = archive_of(value, "archive");
    archives.reports = archive_of(value, "reports");
    archives.error = text_of(value, "error");
  });
  return archives;
}

}  // namespace runner::engine
