#pragma once
// What a run leaves: its artifact layer, and what its reports say.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "artifacts/artifacts.h"
#include "cache/layer_store.h"
#include "pipelines/plan.h"
#include "runner/base/layered_tree.h"
#include "runner/engine/job_caches.h"
#include "runner/engine/job_environment.h"
#include "runner/engine/job_log.h"

namespace runner::engine {

struct Collected {
  cache::HeldEntry layer;                 // the artifacts, for later jobs and for people; null: none
  std::shared_ptr<cache::Draft> reports;  // holds a directory of report files; null: none
  bool committed = false;                 // something was written to the layer store
  std::string name;                       // of the archive, without extension
  artifacts::ArchiveFormat format = artifacts::ArchiveFormat::zip;
  int compression = 0;  // of the archive
  NamedValues dotenv;
  std::optional<std::uint64_t> tests_total, tests_failed;
  std::string error;  // not empty: this fails the job (a broken dotenv file, too large artifacts)
  std::vector<std::string> warnings;
};

/// Where the report files of a run lie while it holds them.
std::filesystem::path reports_tree(const cache::Draft& reports);

/// Where artifacts go, and whose they are.
struct ArtifactPlace {
  cache::LayerStore& store;
  cache::EntryName name;                // the newest artifacts of this job
  std::function<std::string()> origin;  // "job 'build' of run 12"
  std::uint64_t size_limit = 0;         // bytes, 0 = none
  NamedValues handed_over = {};         // what it hands to later jobs besides dotenv reports
};

/// Reads a workspace once nothing runs in it. One thread. What it finds is printed by print(), so that
/// caches, which may take files away, can be saved in between.
class JobArtifacts {
 public:
  JobArtifacts(const pipelines::ArtifactsSpec& spec, const JobEnvironment& environment, JobLog& log,
               ArtifactPlace place);
  /// Takes reports (linked) and artifacts: moved out of the workspace, unless they may be among what
  /// `wanted_later` selects (patterns; "" is everything). Throws Error.
  Collected collect(const LayeredTree& tree, const TakenFrom& from,
                    const std::vector<std::string>& wanted_later, bool success);
  /// The section of the log.
  void print(bool success);

 private:
  void choose_archive();
  void take_paths(const TakenFrom& from, const std::vector<std::string>& wanted_later);
  void keep(std::optional<cache::Draft> layer, const artifacts::LayerStats& stats,
            const std::string& contents);
  void collect_reports(const LayeredTree& tree, const TakenFrom& from);
  std::vector<TreeEntry> report_files(const std::string& type, const std::vector<std::string>& paths,
                                      const LayeredTree& tree, const TakenFrom& from);
  NamedValues dotenv_to_keep();
  void read_dotenv(const TreeEntry& file);
  void read_junit(const TreeEntry& file);
  void read_coverage(const TreeEntry& file);
  void say(std::string text) { lines_.push_back({false, std::move(text)}); }
  void warn(std::string text);

  struct Line {
    bool warning = false;
    std::string text;
  };
  const pipelines::ArtifactsSpec& spec_;
  const JobEnvironment& environment_;
  JobLog& log_;
  const ArtifactPlace place_;
  Collected collected_;
  std::vector<Line> lines_;
};

}  // namespace runner::engine
