#include "runner/engine/job_artifacts.h"

#include <algorithm>
#include <map>
#include <utility>

#include "artifacts/artifacts.h"
#include "artifacts/reports.h"
#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/text.h"
#include "runner/engine/knobs.h"

namespace runner::engine {
namespace {

using pipelines::SaveWhen;

constexpr std::uint64_t kLargestDotenv = 64U << 10U;
constexpr std::uint64_t kLargeDotenv = 5U << 10U;
constexpr std::size_t kMostDotenvVariables = 500;
constexpr std::uint64_t kLargestReport = 64U << 20U;

bool fits(SaveWhen when, bool success) {
  return when == SaveWhen::always || (when == SaveWhen::on_success) == success;
}

std::string file_name_of(std::string name) {
  std::replace(name.begin(), name.end(), '\\', '/');
  name = name.substr(name.rfind('/') + 1);
  return name.empty() || name == "." || name == ".." ? "artifacts" : name;
}

}  // namespace

JobArtifacts::JobArtifacts(const pipelines::ArtifactsSpec& spec, const JobEnvironment& environment,
                           JobLog& log)
    : spec_(spec), environment_(environment), log_(log) {}

void JobArtifacts::warn(std::string text) {
  collected_.warnings.push_back(text);
  lines_.push_back({true, std::move(text)});
}

Collected JobArtifacts::collect(const LayeredTree& tree, const std::filesystem::path& upper,
                                const SelectSpec& base, const std::filesystem::path& destination,
                                bool success) {
  collected_.name = file_name_of(spec_.name.empty() ? "artifacts" : environment_.expand(spec_.name));
  const std::string_view level = environment_.value("ARTIFACT_COMPRESSION_LEVEL");
  const std::optional<int> compression = compression_level(level);
  collected_.compression = compression.value_or(artifacts::kDefaultCompression);
  if (!compression) {
    warn("ARTIFACT_COMPRESSION_LEVEL should be fastest, fast, default, slow or slowest, not '" +
         std::string(level) + "'; it is taken as default");
  }
  if ((!spec_.paths.empty() || spec_.untracked) && fits(spec_.when, success)) {
    collect_paths(tree, upper, base, destination);
  }
  collect_reports(tree, upper, base, destination.string() + "-reports");
  return collected_;
}

void JobArtifacts::collect_paths(const LayeredTree& tree, const std::filesystem::path& upper,
                                 const SelectSpec& base, const std::filesystem::path& destination) {
  SelectSpec spec = base;
  spec.paths = environment_.expand_paths(spec_.paths);
  spec.exclude = environment_.expand_paths(spec_.exclude);
  spec.untracked = spec_.untracked;
  const Selection selection = select_files(tree, spec);
  for (const std::string& pattern : selection.outside) {
    warn("'" + pattern + "' lies outside of the project directory and is not taken");
  }
  for (const std::string& pattern : selection.without_match) warn("no file matches '" + pattern + "'");
  if (selection.entries.empty()) {
    say("no files to upload");
    return;
  }
  const artifacts::LayerStats stats = artifacts::make_layer(selection, upper, destination);
  collected_.layer = destination;
  say("Artifacts '" + collected_.name + "': " + std::to_string(stats.files) +
      (stats.files == 1 ? " file, " : " files, ") + format_bytes(stats.bytes));
}

void JobArtifacts::collect_reports(const LayeredTree& tree, const std::filesystem::path& upper,
                                   const SelectSpec& base, const std::filesystem::path& destination) {
  std::map<std::string, std::vector<std::string>> wanted = spec_.reports;
  if (spec_.coverage_report) wanted["coverage_report"] = {spec_.coverage_report->path};
  Selection all;
  for (const auto& [type, paths] : wanted) {
    SelectSpec spec = base;
    spec.paths = environment_.expand_paths(paths);
    const Selection selection = select_files(tree, spec);
    for (const std::string& pattern : selection.outside) {
      warn("report '" + pattern + "' lies outside of the project directory and is not read");
    }
    for (const std::string& pattern : selection.without_match) {
      warn("no file matches '" + pattern + "' for the " + type + " report");
    }
    for (const TreeEntry& entry : selection.entries) {
      if (entry.type != EntryType::file) continue;
      if (type == "dotenv") read_dotenv(entry);
      if (type == "junit") read_junit(entry);
      if (type == "coverage_report") read_coverage(entry);
      all.entries.push_back(entry);
    }
  }
  if (all.entries.empty()) return;
  const auto by_path = [](const TreeEntry& a, const TreeEntry& b) { return a.path < b.path; };
  std::sort(all.entries.begin(), all.entries.end(), by_path);
  const auto same = [](const TreeEntry& a, const TreeEntry& b) { return a.path == b.path; };
  all.entries.erase(std::unique(all.entries.begin(), all.entries.end(), same), all.entries.end());
  artifacts::make_layer(all, upper, destination);
  collected_.reports = destination;
}

void JobArtifacts::read_dotenv(const TreeEntry& file) {
  std::string error;
  std::optional<NamedValues> values;
  try {
    const std::string text = read_file(file.real, kLargestDotenv).value_or("");
    if (text.size() > kLargeDotenv)
      warn("dotenv " + file.path + " is larger than " + format_bytes(kLargeDotenv));
    values = artifacts::parse_dotenv(text, error);
  } catch (const Error& e) {
    error = e.what();
  }
  if (!values) {
    collected_.error = "dotenv " + file.path + ": " + error;
    return;
  }
  for (auto& [name, value] : *values) {
    const auto known = std::find_if(collected_.dotenv.begin(), collected_.dotenv.end(),
                                    [&, &key = name](const auto& pair) { return pair.first == key; });
    if (known != collected_.dotenv.end()) {
      known->second = value;
    } else {
      collected_.dotenv.emplace_back(name, value);
    }
  }
  if (collected_.dotenv.size() > kMostDotenvVariables) {
    collected_.error =
        "dotenv " + file.path + ": more than " + std::to_string(kMostDotenvVariables) + " variables";
    return;
  }
  say("dotenv report " + file.path + ": " + std::to_string(values->size()) +
      (values->size() == 1 ? " variable" : " variables"));
}

void JobArtifacts::read_junit(const TreeEntry& file) {
  std::string error;
  std::optional<artifacts::TestReport> report;
  try {
    report = artifacts::parse_junit(read_file(file.real, kLargestReport).value_or(""), error);
  } catch (const Error& e) {
    error = e.what();
  }
  if (!report) {
    warn("junit report " + file.path + " cannot be read: " + error);
    return;
  }
  const std::uint64_t failed = report->failed + report->errored;
  collected_.tests_total = collected_.tests_total.value_or(0) + report->total;
  collected_.tests_failed = collected_.tests_failed.value_or(0) + failed;
  say("junit report " + file.path + ": " + std::to_string(report->total) + " tests, " +
      std::to_string(failed) + " failed");
}

void JobArtifacts::read_coverage(const TreeEntry& file) {
  std::string error;
  std::optional<double> percent;
  try {
    percent = artifacts::parse_coverage_report(spec_.coverage_report->format,
                                               read_file(file.real, kLargestReport).value_or(""), error);
  } catch (const Error& e) {
    error = e.what();
  }
  if (!percent) {
    warn("coverage report " + file.path + " cannot be read: " + error);
    return;
  }
  say("coverage report " + file.path + ": " + std::to_string(static_cast<int>(*percent * 10) / 10) +
      " % of the lines");
}

void JobArtifacts::print(bool success) {
  if (lines_.empty()) return;
  const LogSection section(log_, success ? "upload_artifacts_on_success" : "upload_artifacts_on_failure",
                           "Collecting artifacts");
  for (const Line& line : lines_) {
    if (line.warning) {
      log_.warning(line.text);
    } else {
      log_.line(line.text);
    }
  }
}

}  // namespace runner::engine
