#pragma once
// The directory a job sees: read-only trees stacked under one private writable layer, by overlay where the
// kernel allows it, else by copying. The layers under it are never written to.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runner/base/layered_tree.h"

namespace runner::cache {

enum class MountMode : std::uint8_t {
  overlay_root,  // root: overlay in the step's own mount namespace
  overlay_user,  // not root: the same inside a user namespace
  copy,          // no overlay here: reflink, else copy
};
std::string_view to_string(MountMode mode) noexcept;

struct MountProbe {
  MountMode mode = MountMode::copy;
  std::string why;  // why not the better ones; empty when the best was taken
};

/// Tries a real overlay mount (in a child process) with its upper directory below `work_dir`. Blocks for
/// milliseconds. RUNNER_WORKSPACE in the environment chooses `copy` or `overlay` without a try. Forks: call
/// it before there are threads. Makes `work_dir` when missing. Throws Error when nothing can be written
/// there.
MountProbe probe_mount_mode(const std::filesystem::path& work_dir);

/// The same, but an overlay that worked is not tried again: the file `memory` holds that for this start of
/// the machine, these namespaces, this user and this directory. Remove it when a mount failed in spite of it.
MountProbe recall_mount_mode(const std::filesystem::path& work_dir, const std::filesystem::path& memory);

struct WorkspaceSpec {
  std::filesystem::path directory;  // private to the attempt; made (0700) and owned by the workspace
  std::vector<std::filesystem::path> lowers;  // top first, at least one; immutable while in use
  std::filesystem::path target;               // where the job is to see it (overlay); made if missing
  /// So many of the first lowers are trees of our own (artifacts, caches): where the stack gets too high for
  /// one mount, the lowest of them are made into one by hard links.
  std::size_t linkable = 0;
  /// So many of the first lowers, those among them, belong to the layer store: what a job closed in them to
  /// their owner is opened up while it is copied. The others are somebody's, and are left as they are.
  std::size_t owned = 0;
};

/// How to mount it, for the executor.
struct OverlayPlan {
  std::vector<std::filesystem::path> lowers;
  std::filesystem::path upper, work, target;
  bool user_namespace = false;
};

/// One attempt's workspace. Move-only by pointer. Any thread, one at a time.
class Workspace {
 public:
  virtual ~Workspace() = default;
  /// Where the job sees it.
  virtual const std::filesystem::path& path() const noexcept = 0;
  /// Set when the executor has to mount it; without it path() is an ordinary directory.
  virtual std::optional<OverlayPlan> overlay() const = 0;
  /// The whole content as it is now, also while no step runs and nothing is mounted.
  virtual const LayeredTree& tree() const = 0;
  /// The writable layer: whatever lies here is the job's own and may be moved or linked elsewhere.
  virtual const std::filesystem::path& upper() const noexcept = 0;
  /// Removes the private parts. Idempotent. Throws Error when something stays.
  virtual void remove() = 0;
};

/// Makes workspaces of one mode. Any thread.
class Workspaces {
 public:
  explicit Workspaces(MountMode mode) noexcept : mode_(mode) {}
  MountMode mode() const noexcept { return mode_; }
  /// Overlay: makes two directories. Copy: copies the merged content of `lowers` (reflink where the file
  /// system can). Throws Error (disk full: unavailable); what was made is removed then.
  std::unique_ptr<Workspace> create(const WorkspaceSpec& spec) const;

 private:
  MountMode mode_;
};

/// Makes `destination` hold the merged content of `layers` (top first), by hard links where possible: for
/// trees that nobody changes any more. What the layers hide of the layers `below` them (top first; they are
/// read, not written to `destination`) they hide as one tree too: whiteouts and opaque marks stay where there
/// is something to hide, and nowhere else. `destination` is made unless it is there, empty; its parent
/// exists. `stop` is asked at each entry: true throws Error{cancelled}. Throws Error, what was made stays
/// then.
void squash_layers(std::span<const std::filesystem::path> layers, const std::filesystem::path& destination,
                   std::span<const std::filesystem::path> below = {}, const std::function<bool()>& stop = {});

}  // namespace runner::cache
