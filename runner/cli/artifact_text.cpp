#include "runner/cli/artifact_text.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "runner/base/text.h"
#include "runner/cli/table.h"

namespace runner::cli {
namespace {

using storage::ArtifactRecord;
using Cells = std::vector<std::string>;

std::string span_text(std::chrono::milliseconds span) {
  const auto days = std::chrono::duration_cast<std::chrono::hours>(span).count() / 24;
  if (days >= 2) return std::to_string(days) + " d";
  return format_duration(std::chrono::duration_cast<std::chrono::seconds>(span));
}

std::string ref_text(const ArtifactRecord& record) {
  std::string sha = record.sha.substr(0, 8);
  if (record.ref.empty()) return sha;
  return sha.empty() ? record.ref : record.ref + " (" + sha + ")";
}

Cells row_of(const KnownArtifact& artifact, TimePoint now, bool projects) {
  const ArtifactRecord& record = artifact.record;
  Cells cells = {std::to_string(record.id),
                 std::to_string(record.run),
                 record.job,
                 record.name,
                 std::to_string(record.files),
                 format_bytes(record.bytes),
                 age_text(record.created_at, now),
                 expiry_text(artifact, now)};
  if (projects) cells.push_back(record.project);
  return cells;
}

std::string mode_text(const ArchiveEntry& entry) {
  std::string text = "rwxrwxrwx";
  for (std::size_t bit = 0; bit < text.size(); ++bit) {
    if ((entry.mode & (0400U >> bit)) == 0) text[bit] = '-';
  }
  return (entry.type == 'f' || entry.type == 'h' ? '-' : entry.type) + text;
}

TimePoint time_of(const ArchiveEntry& entry) {
  return TimePoint(std::chrono::seconds(entry.modified));
}

}  // namespace

std::string age_text(TimePoint then, TimePoint now) {
  return now - then < std::chrono::seconds(1) ? "just now" : span_text(now - then) + " ago";
}

std::string expiry_text(const KnownArtifact& artifact, TimePoint now) {
  if (!artifact.there) return "gone";
  if (!artifact.record.expires_at) return "never";
  if (artifact.latest) return "kept: latest";
  if (*artifact.record.expires_at <= now) return "now";
  return "in " + span_text(*artifact.record.expires_at - now);
}

std::string artifact_table(const Screen& screen, std::span<const KnownArtifact> artifacts, TimePoint now,
                           bool projects) {
  using Align = Column::Align;
  std::vector<Column> columns = {{"ID", Align::right},    {"RUN", Align::right},  {"JOB"}, {"NAME"},
                                 {"FILES", Align::right}, {"SIZE", Align::right}, {"AGE"}, {"EXPIRES"}};
  if (projects) columns.push_back({"PROJECT"});
  const bool exposed = std::any_of(artifacts.begin(), artifacts.end(),
                                   [](const KnownArtifact& a) { return !a.record.expose_as.empty(); });
  if (exposed) columns.push_back({"EXPOSED AS"});
  std::vector<std::vector<std::string>> rows;
  rows.reserve(artifacts.size());
  for (const KnownArtifact& artifact : artifacts) {
    rows.push_back(row_of(artifact, now, projects));
    if (exposed) rows.back().push_back(artifact.record.expose_as);
  }
  return table_text(screen, columns, rows);
}

std::string artifact_details(const Screen& screen, const KnownArtifact& artifact, TimePoint now) {
  const ArtifactRecord& record = artifact.record;
  std::vector<std::pair<std::string, std::string>> facts = {
      {"artifact", record.name},
      {"id", std::to_string(record.id)},
      {"job", record.job + ", " + std::string(pipelines::to_string(record.job_status))},
      {"run", std::to_string(record.run)},
      {"project", record.project},
      {"commit", ref_text(record)},
      {"kind", std::string(to_string(record.kind)) + ", " + record.format},
      {"exposed as", record.expose_as},
      {"access", record.access},
      {"made", format_iso8601(record.created_at) + ", " + age_text(record.created_at, now)},
      {"expires", expiry_text(artifact, now)},
      {"files", std::to_string(record.files)},
      {"size", format_bytes(record.bytes)},
      {"sha256", record.sha256},
      {artifact.there ? "file" : "was at", record.path}};
  std::erase_if(facts, [](const auto& fact) { return fact.second.empty(); });
  return facts_text(screen, facts);
}

std::string content_table(const Screen& screen, std::span<const ArchiveEntry> entries) {
  std::size_t width = 0;
  for (const ArchiveEntry& entry : entries) width = std::max(width, format_bytes(entry.bytes).size());
  std::string out;
  for (const ArchiveEntry& entry : entries) {
    const std::string size = entry.type == 'f' ? format_bytes(entry.bytes) : std::string();
    out += fmt::format("  {}  {:>{}}  {}  {}", mode_text(entry), size, width,
                       paint(screen, Tone::dim, format_iso8601(time_of(entry))), printable(entry.path));
    if (!entry.target.empty()) out += " -> " + printable(entry.target);
    out += "\n";
  }
  return out;
}

void begin_artifact(JsonWriter& json, const KnownArtifact& artifact) {
  const ArtifactRecord& record = artifact.record;
  json.begin_object().member("id", record.id).member("project", record.project).member("run", record.run);
  json.member("ref", record.ref).member("sha", record.sha).member("job", record.job);
  json.member("job_status", std::string(pipelines::to_string(record.job_status)));
  json.member("name", record.name).member("kind", std::string(to_string(record.kind)));
  json.member("format", record.format).member("path", record.path).member("sha256", record.sha256);
  json.member("bytes", record.bytes).member("files", record.files);
  json.member("created_at", format_iso8601(record.created_at)).key("expires_at");
  if (record.expires_at) {
    json.value(format_iso8601(*record.expires_at));
  } else {
    json.null();
  }
  json.member("expose_as", record.expose_as).member("access", record.access);
  json.member("latest", artifact.latest).member("exists", artifact.there);
}

void write_content(JsonWriter& json, std::span<const ArchiveEntry> entries) {
  json.begin_array();
  for (const ArchiveEntry& entry : entries) {
    constexpr std::array<std::pair<char, const char*>, 4> kTypes{
        {{'f', "file"}, {'d', "directory"}, {'l', "link"}, {'h', "hard_link"}}};
    const char* type = "other";
    for (const auto& [letter, name] : kTypes) {
      if (letter == entry.type) type = name;
    }
    json.begin_object().member("path", entry.path).member("type", type).member("bytes", entry.bytes);
    json.member("mode", fmt::format("{:04o}", entry.mode & 07777U));
    json.member("modified", format_iso8601(time_of(entry)));
    if (!entry.target.empty()) json.member("target", entry.target);
    json.end_object();
  }
  json.end_array();
}

}  // namespace runner::cli
