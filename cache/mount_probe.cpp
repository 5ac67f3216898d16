#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>

#include "cache/layer_files.h"
#include "cache/workspace.h"
#include "runner/base/error.h"
#include "runner/base/fd.h"
#include "runner/base/files.h"
#include "runner/base/log.h"

namespace runner::cache {
namespace fs = std::filesystem;
namespace {

enum class Step : std::uint8_t {
  done,
  namespaces,
  user_map,
  enter,
  make_private,
  mount,
  hide_file,
  replace_directory
};

const char* describe(Step step) {
  switch (step) {
    case Step::done:
      return "nothing failed";
    case Step::namespaces:
      return "cannot make a mount namespace";
    case Step::user_map:
      return "cannot map the user";
    case Step::enter:
      return "cannot enter the work directory";
    case Step::make_private:
      return "cannot make mounts private";
    case Step::mount:
      return "cannot mount an overlay";
    case Step::hide_file:
      return "the file system of the work directory refuses to hide a file";
    case Step::replace_directory:
      return "the file system of the work directory refuses to replace a directory (extended attributes?)";
  }
  return "unknown";
}

struct Answer {
  Step failed = Step::done;
  int error = 0;
};

bool write_proc(const char* path, const char* text, std::size_t size) {
  const int fd = ::open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool written = ::write(fd, text, size) == static_cast<ssize_t>(size);
  ::close(fd);
  return written;
}

/// What the child is given; made before the fork, as the child may call async-signal-safe functions only.
struct Trial {
  bool user_namespace = false;
  std::string directory;
  // Mounted over: not below `directory`, as removing a mount point waits for the other namespace's end.
  std::string target, file_in_target, directory_in_target;
  std::string user_map, group_map;
};

Answer try_overlay(const Trial& trial) {
  const auto fail = [](Step step) { return Answer{step, errno}; };
  const int flags = CLONE_NEWNS | (trial.user_namespace ? CLONE_NEWUSER : 0);
  if (::unshare(flags) != 0) return fail(Step::namespaces);
  if (trial.user_namespace &&
      (!write_proc("/proc/self/setgroups", "deny", 4) ||
       !write_proc("/proc/self/uid_map", trial.user_map.data(), trial.user_map.size()) ||
       !write_proc("/proc/self/gid_map", trial.group_map.data(), trial.group_map.size()))) {
    return fail(Step::user_map);
  }
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return fail(Step::make_private);
  if (::chdir(trial.directory.c_str()) != 0) return fail(Step::enter);
  // Relative names: no directory name needs escaping then.
  if (::mount("overlay", trial.target.c_str(), "overlay", 0,
              "lowerdir=lower,upperdir=upper,workdir=work,userxattr,index=off") != 0) {
    return fail(Step::mount);
  }
  struct stat info {};
  if (::unlink(trial.file_in_target.c_str()) != 0 || ::lstat("upper/file", &info) != 0)
    return fail(Step::hide_file);
  if (::rmdir(trial.directory_in_target.c_str()) != 0 ||
      ::mkdir(trial.directory_in_target.c_str(), 0700) != 0 || ::lstat("upper/directory", &info) != 0) {
    return fail(Step::replace_directory);
  }
  return {};
}

void make_trial_directories(const fs::path& top) {
  for (const char* name : {"lower", "lower/directory", "upper", "work"}) {
    if (::mkdir((top / name).c_str(), 0700) != 0)
      throw_errno("cannot make directory '" + (top / name).string() + "'");
  }
  const UniqueFd file(::open((top / "lower/file").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  if (!file) throw_errno("cannot make '" + (top / "lower/file").string() + "'");
}

/// Locked, so that others know it from one that a killed process left.
class TrialDirectory {
 public:
  explicit TrialDirectory(const fs::path& parent) : made_(make_locked_directory(parent, "probe-")) {}
  ~TrialDirectory() {
    try {
      remove_tree(made_.path);
    } catch (const std::exception& error) {
      log_warn("cache", error.what());
    }
  }
  TrialDirectory(const TrialDirectory&) = delete;
  TrialDirectory& operator=(const TrialDirectory&) = delete;
  const fs::path& path() const noexcept { return made_.path; }

 private:
  LockedPath made_;
};

/// The reason why it does not work; empty when it does.
std::string reason_against(bool user_namespace, const fs::path& given_dir) {
  const fs::path work_dir = fs::absolute(given_dir);
  const TrialDirectory top(work_dir);
  make_trial_directories(top.path());
  const auto own = [](auto id) { return std::to_string(id) + " " + std::to_string(id) + " 1\n"; };
  const Trial trial{user_namespace,
                    top.path().string(),
                    work_dir.string(),
                    (work_dir / "file").string(),
                    (work_dir / "directory").string(),
                    own(::geteuid()),
                    own(::getegid())};

  Pipe pipe = make_pipe();
  const pid_t child = ::fork();
  if (child < 0) throw_errno("cannot start a process to try an overlay mount");
  if (child == 0) {
    // The kernel takes tens of milliseconds to take a mount namespace down when the machine is busy, and its
    // last process ends only then: a grandchild, so that nobody waits for it.
    if (const pid_t grandchild = ::fork(); grandchild != 0) ::_exit(grandchild < 0 ? 1 : 0);
    const Answer answer = try_overlay(trial);
    const auto written = ::write(pipe.write.get(), &answer, sizeof answer);
    ::_exit(written == sizeof answer ? 0 : 1);
  }
  pipe.write.reset();
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  Answer answer;
  ssize_t got = 0;
  do got = ::read(pipe.read.get(), &answer, sizeof answer);
  while (got < 0 && errno == EINTR);
  if (got != sizeof answer) return "the process that tried it ended early";
  if (answer.failed == Step::done) return {};
  return std::string(describe(answer.failed)) + ": " + std::strerror(answer.error);
}

}  // namespace

std::string_view to_string(MountMode mode) noexcept {
  switch (mode) {
    case MountMode::overlay_root:
      return "overlay";
    case MountMode::overlay_user:
      return "overlay in a user namespace";
    case MountMode::copy:
      return "copy";
  }
  return "copy";
}

MountProbe probe_mount_mode(const fs::path& work_dir) {
  const bool root = ::geteuid() == 0;
  const MountMode best = root ? MountMode::overlay_root : MountMode::overlay_user;
  if (const char* wish = std::getenv("RUNNER_WORKSPACE"); wish != nullptr && *wish != '\0') {
    const std::string_view chosen = wish;
    if (chosen == "copy") return {MountMode::copy, "RUNNER_WORKSPACE=copy"};
    if (chosen == "overlay") return {best, {}};
    if (chosen != "auto") {
      log_warn("cache",
               "RUNNER_WORKSPACE is '" + std::string(chosen) + "': 'auto', 'overlay' or 'copy' is expected");
    }
  }
  make_directories(work_dir, 0700);
  std::string why;
  if (root) {
    why = reason_against(false, work_dir);
    if (why.empty()) return {MountMode::overlay_root, {}};
    why = "as root: " + why + "; in a user namespace: ";
  }
  const std::string why_not_user = reason_against(true, work_dir);
  if (why_not_user.empty()) return {MountMode::overlay_user, root ? why + "works" : std::string()};
  return {MountMode::copy, why + why_not_user};
}

}  // namespace runner::cache
