#pragma once
// One walk through a directory that was moved out of a job's layer: counts, and takes away what has no place
// among artifacts. Used inside this folder only.

#include <sys/stat.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "artifacts/artifacts.h"

namespace runner::artifacts {

/// What was taken so far, with an eye on files that have several names.
class Tally {
 public:
  /// `copies`: the workspace was a plain copy, in which a job may have made names of files that lie outside.
  Tally(LayerStats& stats, std::uint64_t max_bytes, bool copies)
      : stats_(stats), max_bytes_(max_bytes), copies_(copies) {}

  /// A file taken as `directory`/`name`. `info` is from before it got any further name by us.
  void file(const struct stat& info, const std::string& directory, const char* name);
  void symlink() { ++stats_.files; }
  void directory() { ++stats_.directories; }
  void skipped(std::string path) { stats_.skipped.push_back(std::move(path)); }

  /// Nothing of it will be kept, so nothing need be copied any more.
  bool full() const noexcept { return max_bytes_ != 0 && stats_.bytes > max_bytes_; }
  /// The names taken of files that have names elsewhere too: someone may write into them still.
  std::vector<std::vector<std::string>> shared_outside() const;

 private:
  struct Names {
    nlink_t total = 0;
    std::vector<std::string> taken;
  };
  LayerStats& stats_;
  std::uint64_t max_bytes_;
  bool copies_;
  std::map<std::pair<dev_t, ino_t>, Names> linked_;
};

/// Sees to everything below the directory `name` in `parent`, which is `path` for people: whiteouts, opaque
/// marks, sockets, pipes and devices go, the rest is counted; modes and times stay. Opens up what a job has
/// closed, and closes it again. The directory itself is not counted. Throws Error.
void sweep(int parent, const std::string& name, const std::string& path, Tally& tally);

}  // namespace runner::artifacts
