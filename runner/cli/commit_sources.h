#pragma once
// The files of a commit for the jobs of a local run: from a mirror below DATA/git that takes what the user's
// repository has, so that jobs have a history of their own and the user's is not reached.

#include <filesystem>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>

#include "runner/cli/project.h"
#include "runner/engine/sources.h"

namespace runner::cache {
class LayerStore;
}  // namespace runner::cache
namespace runner::git {
class Mirror;
}  // namespace runner::git

namespace runner::cli {

class CommitSources {
 public:
  struct Place {
    std::filesystem::path data;  // below it the mirrors lie
    std::string scope;           // of the layers
    std::string ref;             // full name of what the pipeline is for
  };
  /// References must outlive it. Throws Error.
  CommitSources(git::LocalRepository& repository, cache::LayerStore& layers, Place place);
  ~CommitSources();
  CommitSources(const CommitSources&) = delete;
  CommitSources& operator=(const CommitSources&) = delete;

  /// The same for the same knobs: all jobs of a pipeline have files of one time, whatever other pipelines
  /// check out meanwhile. Any thread, one after another. Throws Error.
  engine::Sources make(const engine::SourceKnobs& knobs, const std::stop_token& stop = {});

 private:
  engine::Sources make_new(const engine::SourceKnobs& knobs, const std::stop_token& stop);
  std::unique_ptr<git::Mirror> submodule_mirror(const std::string& url, const std::string& commit,
                                                const std::stop_token& stop) const;

  git::LocalRepository& repository_;
  cache::LayerStore& layers_;
  Place place_;
  std::mutex mutex_;
  std::unique_ptr<git::Mirror> mirror_;
  std::vector<std::pair<engine::SourceKnobs, engine::Sources>> made_;
};

}  // namespace runner::cli
