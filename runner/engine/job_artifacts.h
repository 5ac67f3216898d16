#pragma once
// What a run leaves: its artifact layer, and what its reports say.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "pipelines/plan.h"
#include "runner/base/layered_tree.h"
#include "runner/engine/job_environment.h"
#include "runner/engine/job_log.h"
#include "runner/engine/select.h"

namespace runner::engine {

struct Collected {
  std::optional<std::filesystem::path> layer;    // a tree of files: artifacts for later jobs and for people
  std::optional<std::filesystem::path> reports;  // the same of report files
  std::string name;                              // of the archive, without extension
  int compression = 0;                           // of the archive
  NamedValues dotenv;
  std::optional<std::uint64_t> tests_total, tests_failed;
  std::string error;  // not empty: this fails the job (a broken dotenv file)
  std::vector<std::string> warnings;
};

/// Reads a workspace once nothing runs in it. One thread. What it finds is printed by print(), so that
/// caches, which may take files away, can be saved in between.
class JobArtifacts {
 public:
  JobArtifacts(const pipelines::ArtifactsSpec& spec, const JobEnvironment& environment, JobLog& log);
  /// `destination` and `destination` + "-reports" must not exist. Throws Error.
  Collected collect(const LayeredTree& tree, const std::filesystem::path& upper, const SelectSpec& base,
                    const std::filesystem::path& destination, bool success);
  /// The section of the log.
  void print(bool success);

 private:
  void collect_paths(const LayeredTree& tree, const std::filesystem::path& upper, const SelectSpec& base,
                     const std::filesystem::path& destination);
  void collect_reports(const LayeredTree& tree, const std::filesystem::path& upper, const SelectSpec& base,
                       const std::filesystem::path& destination);
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
  Collected collected_;
  std::vector<Line> lines_;
};

}  // namespace runner::engine
