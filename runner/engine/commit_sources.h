#pragma once
// The files of a commit for jobs: layers made from a mirror, with a history of the jobs' own.

#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "runner/engine/sources.h"
#include "runner/git/remote.h"

namespace runner::cache {
class LayerStore;
}  // namespace runner::cache
namespace runner::git {
class Mirror;
}  // namespace runner::git

namespace runner::engine {

/// Which commit, and what jobs are told of where it comes from.
struct CommitPlace {
  std::string scope;              // of the layers
  std::string commit;             // 40 hex digits
  std::string ref;                // full name of what the pipeline is for
  std::string default_branch;     // for GIT_CHECKOUT=false
  std::string origin_url;         // for `git fetch` in jobs; credentials are taken out
  std::string fetch_from;         // a repository of this machine that jobs fetch from instead; may be empty
  std::filesystem::path mirrors;  // where mirrors of submodules lie
  /// Who we are to the repository of a submodule. Empty: nobody.
  std::function<git::RemoteAccess(const std::string& url)> submodule_access;
};

/// Below `mirrors` one directory for each address; the name begins so that people know which is which.
std::filesystem::path mirror_directory(const std::filesystem::path& mirrors, const std::string& address);

class CommitSources {
 public:
  /// The store must outlive it. Throws Error.
  CommitSources(std::unique_ptr<git::Mirror> mirror, cache::LayerStore& layers, CommitPlace place);
  ~CommitSources();
  CommitSources(const CommitSources&) = delete;
  CommitSources& operator=(const CommitSources&) = delete;

  /// The same for the same knobs: all jobs of a pipeline have files of one time, whatever other pipelines
  /// check out meanwhile. Any thread, one after another. Throws Error.
  Sources make(const SourceKnobs& knobs, const std::stop_token& stop = {});

 private:
  Sources make_new(const SourceKnobs& knobs, const std::stop_token& stop);
  std::unique_ptr<git::Mirror> submodule_mirror(const std::string& url, const std::string& commit,
                                                const std::stop_token& stop) const;

  cache::LayerStore& layers_;
  CommitPlace place_;
  std::mutex mutex_;
  std::unique_ptr<git::Mirror> mirror_;
  std::vector<std::pair<SourceKnobs, Sources>> made_;
};

}  // namespace runner::engine
