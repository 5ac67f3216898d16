#include "runner/engine/job_artifacts.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "artifacts/reports.h"
#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/glob.h"
#include "runner/base/text.h"
#include "runner/engine/cache_keys.h"
#include "runner/engine/knobs.h"
#include "runner/engine/patterns.h"

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

/// Throws Error, without the place on disk that the job's user does not know.
std::string read_report(const TreeEntry& file, std::uint64_t limit) {
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(file.real, error);
  if (!error && size > limit)
    throw Error(ErrorCode::invalid_input, "it is larger than " + format_bytes(limit));
  return read_file(file.real, limit).value_or("");
}

}  // namespace

std::filesystem::path reports_tree(const cache::Draft& reports) {
  return reports.directory() / "reports";
}

JobArtifacts::JobArtifacts(const pipelines::ArtifactsSpec& spec, const JobEnvironment& environment,
                           JobLog& log, ArtifactPlace place)
    : spec_(spec), environment_(environment), log_(log), place_(std::move(place)) {
  collected_.dotenv = place_.handed_over;
}

void JobArtifacts::warn(std::string text) {
  collected_.warnings.push_back(text);
  lines_.push_back({true, std::move(text)});
}

Collected JobArtifacts::collect(const LayeredTree& tree, const TakenFrom& from,
                                const std::vector<std::string>& wanted_later, bool success) {
  choose_archive();
  // Before the artifacts, which may take the same files away.
  collect_reports(tree, from);
  const bool takes_paths = (!spec_.paths.empty() || spec_.untracked) && fits(spec_.when, success);
  if (takes_paths) take_paths(from, wanted_later);
  if (!collected_.layer && !collected_.dotenv.empty() && collected_.error.empty()) keep({}, {}, {});
  // What an earlier run left is not what this one did.
  if (success && !collected_.committed) {
    place_.store.forget(place_.name);
  }
  return collected_;
}

void JobArtifacts::choose_archive() {
  collected_.name = file_name_of(spec_.name.empty() ? "artifacts" : environment_.expand(spec_.name));
  const std::string_view level = environment_.value("ARTIFACT_COMPRESSION_LEVEL");
  const std::optional<int> compression = compression_level(level);
  collected_.compression = compression.value_or(artifacts::kDefaultCompression);
  if (!compression) {
    warn("ARTIFACT_COMPRESSION_LEVEL should be fastest, fast, default, slow or slowest, not '" +
         std::string(level) + "'; it is taken as default");
  }
  const std::string_view format = environment_.value("ARTIFACT_COMPRESSION_FORMAT");
  const auto known = archive_format(format);
  collected_.format = known.value_or(artifacts::ArchiveFormat::zip);
  if (!known) {
    warn("ARTIFACT_COMPRESSION_FORMAT should be zip or tarzstd, not '" + std::string(format) +
         "'; it is taken as zip");
  }
}

void JobArtifacts::take_paths(const TakenFrom& from, const std::vector<std::string>& wanted_later) {
  artifacts::TakeRequest request;
  request.layers = from.layers;
  request.paths = environment_.expand_paths(spec_.paths);
  request.exclude = environment_.expand_paths(spec_.exclude);
  request.untracked = spec_.untracked;
  request.is_tracked = from.is_tracked;
  request.root = from.root;
  request.max_bytes = place_.size_limit;
  request.is_immutable = [&store = place_.store](const std::filesystem::path& path) {
    return store.owns(path);
  };
  std::vector<std::string> own = request.paths;
  if (spec_.untracked) own.emplace_back();
  request.may_move = !may_overlap(own, wanted_later, from.root);
  cache::Draft draft = place_.store.begin();
  artifacts::Taken taken;
  try {
    taken = artifacts::take_layer(request, draft.tree());
  } catch (const Error& e) {
    if (e.code() != ErrorCode::invalid_input) throw;
    collected_.error = e.what();
    return;
  }
  for (const std::string& pattern : taken.outside) {
    warn("'" + pattern + "' lies outside of the project directory and is not taken");
  }
  for (const std::string& pattern : taken.without_match) warn("no file matches '" + pattern + "'");
  for (const std::string& path : taken.stats.skipped) {
    warn("'" + path + "' is no file, directory or link and is not taken");
  }
  for (const std::string& path : taken.closed)
    warn("'" + path + "' may not be read: what is in it is not taken");
  if (taken.has_git) {
    warn("a part of '.git' is among the artifacts: jobs that take them get it in the place of their own");
  }
  if (taken.empty()) {
    say("no files to upload");
    return;
  }
  say("Artifacts '" + collected_.name + "': " + format_count(taken.stats.files, "file") + ", " +
      format_bytes(taken.stats.bytes));
  keep(std::move(draft), taken.stats, canonical_patterns(own, from.root));
}

/// Without a layer: variables alone.
void JobArtifacts::keep(std::optional<cache::Draft> layer, const artifacts::LayerStats& stats,
                        const std::string& contents) {
  cache::NewEntry entry;
  entry.name = place_.name;
  entry.files = stats.files;
  entry.bytes = stats.bytes;
  entry.facts.origin = place_.origin();
  entry.facts.contents = without_secrets(contents, environment_.secrets());
  entry.facts.inputs = dotenv_to_keep();
  const bool has_files = layer.has_value();
  if (!layer) layer.emplace(place_.store.begin());
  layer->content = cache::Draft::Content{stats.files, stats.bytes, stats.disk, {}};
  cache::HeldEntry held = place_.store.commit(std::move(entry), std::move(layer));
  if (has_files) collected_.layer = std::move(held);
  collected_.committed = true;
}

/// What later runs may have of the variables: secrets stay in this one.
NamedValues JobArtifacts::dotenv_to_keep() {
  NamedValues kept;
  for (const auto& [name, value] : collected_.dotenv) {
    if (without_secrets(value, environment_.secrets()) == value) {
      kept.emplace_back(name, value);
    } else {
      say("the dotenv variable '" + name + "' holds a secret: it is not kept for later runs");
    }
  }
  std::sort(kept.begin(), kept.end());
  return kept;
}

void JobArtifacts::collect_reports(const LayeredTree& tree, const TakenFrom& from) {
  std::map<std::string, std::vector<std::string>> wanted = spec_.reports;
  if (spec_.coverage_report) wanted["coverage_report"] = {spec_.coverage_report->path};
  Selection all;
  for (const auto& [type, paths] : wanted) {
    for (TreeEntry& file : report_files(type, paths, tree, from)) {
      if (type == "dotenv") read_dotenv(file);
      if (type == "junit") read_junit(file);
      if (type == "coverage_report") read_coverage(file);
      all.entries.push_back(std::move(file));
    }
  }
  if (all.entries.empty()) return;
  const auto by_path = [](const TreeEntry& a, const TreeEntry& b) { return a.path < b.path; };
  std::sort(all.entries.begin(), all.entries.end(), by_path);
  const auto same = [](const TreeEntry& a, const TreeEntry& b) { return a.path == b.path; };
  all.entries.erase(std::unique(all.entries.begin(), all.entries.end(), same), all.entries.end());
  auto reports = std::make_shared<cache::Draft>(place_.store.begin());
  artifacts::make_layer(all, from.layers.front(), reports_tree(*reports));
  collected_.reports = std::move(reports);
}

/// In the order of the list, as of two dotenv files the later one wins; what one pattern matches by name.
std::vector<TreeEntry> JobArtifacts::report_files(const std::string& type,
                                                  const std::vector<std::string>& paths,
                                                  const LayeredTree& tree, const TakenFrom& from) {
  std::vector<TreeEntry> files;
  std::set<std::string> known;
  for (const std::string& path : environment_.expand_paths(paths)) {
    Selection selection = match_paths(tree, {&path, 1}, from.root, ClosedDirectory::skip);
    if (!selection.outside.empty()) {
      warn("report '" + path + "' lies outside of the project directory and is not read");
      continue;
    }
    for (const std::string& closed : selection.closed)
      warn("'" + closed + "' may not be read: there may be reports in it");
    const auto is_file = [](const TreeEntry& entry) { return entry.type == EntryType::file; };
    if (std::none_of(selection.entries.begin(), selection.entries.end(), is_file)) {
      const bool one = selection.entries.size() == 1 && Glob(path, GlobDialect::paths).is_literal();
      warn(one ? "report '" + path + "' is no file and is not read"
               : "no file matches '" + path + "' for the " + type + " report");
    }
    for (TreeEntry& entry : selection.entries) {
      if (is_file(entry) && known.insert(entry.path).second) files.push_back(std::move(entry));
    }
  }
  return files;
}

void JobArtifacts::read_dotenv(const TreeEntry& file) {
  std::string error;
  std::optional<NamedValues> values;
  try {
    const std::string text = read_report(file, kLargestDotenv);
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
  say("dotenv report " + file.path + ": " + format_count(values->size(), "variable"));
}

void JobArtifacts::read_junit(const TreeEntry& file) {
  std::string error;
  std::optional<artifacts::TestReport> report;
  try {
    report = artifacts::parse_junit(read_report(file, kLargestReport), error);
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
                                               read_report(file, kLargestReport), error);
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
