#include "tests/cache/trees.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <exception>

#include "runner/base/error.h"
#include "runner/base/fd.h"
#include "runner/base/files.h"

namespace runner::cache::testing {
namespace fs = std::filesystem;
namespace {

std::string describe(const fs::path& real, Times times) {
  struct stat info {};
  if (::lstat(real.c_str(), &info) != 0) return "gone";
  std::string text;
  if (S_ISLNK(info.st_mode)) {
    text = "link " + fs::read_symlink(real).string();
  } else if (S_ISDIR(info.st_mode)) {
    text = "directory " + std::to_string(info.st_mode & 07777U);
  } else if (S_ISREG(info.st_mode)) {
    text = "file " + std::to_string(info.st_mode & 07777U) + " " +
           (info.st_size > 4096 ? std::to_string(info.st_size) : read_file(real).value_or("unreadable"));
  } else {
    text = "special " + std::to_string(info.st_mode);
  }
  if (times == Times::compared) {
    text += " at " + std::to_string(info.st_mtim.tv_sec) + "." + std::to_string(info.st_mtim.tv_nsec);
  }
  return text;
}

void mount_overlay(const OverlayPlan& plan) {
  const auto own = [](auto id) { return std::to_string(id) + " " + std::to_string(id) + " 1\n"; };
  const std::string users = own(::geteuid());
  const std::string groups = own(::getegid());
  if (::unshare(CLONE_NEWNS | (plan.user_namespace ? CLONE_NEWUSER : 0)) != 0) throw_errno("unshare");
  if (plan.user_namespace) {
    const auto write_to = [](const char* path, const std::string& text) {
      const UniqueFd file(::open(path, O_WRONLY | O_CLOEXEC));
      if (!file) throw_errno(path);
      write_all(file.get(), text);
    };
    write_to("/proc/self/setgroups", "deny");
    write_to("/proc/self/uid_map", users);
    write_to("/proc/self/gid_map", groups);
  }
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) throw_errno("private");
  // As the executors do it: numbers of open directories, so that hundreds of any name fit into one page.
  std::vector<UniqueFd> layers;
  const auto number = [&](const fs::path& directory) {
    layers.emplace_back(::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!layers.back()) throw_errno("open " + directory.string());
    return std::to_string(layers.back().get());
  };
  std::string options =
      "userxattr,index=off,upperdir=" + number(plan.upper) + ",workdir=" + number(plan.work) + ",lowerdir=";
  for (const fs::path& lower : plan.lowers) options += number(lower) + ":";
  options.pop_back();
  if (::chdir("/proc/self/fd") != 0) throw_errno("chdir");
  if (::mount("overlay", plan.target.c_str(), "overlay", 0, options.c_str()) != 0)
    throw_errno("mount " + options);
}

/// What a child needs of a workspace: its path, and the plan's parts when there is one. Each ends with a
/// zero, the whole with another: other children may hold the same pipe, so that it has no end.
std::string order_text(const Workspace& workspace) {
  std::string text = workspace.path().native() + '\0';
  if (const std::optional<OverlayPlan> plan = workspace.overlay()) {
    text += std::string(plan->user_namespace ? "user" : "root") + '\0';
    for (const fs::path& part : {plan->upper, plan->work, plan->target}) text += part.native() + '\0';
    for (const fs::path& lower : plan->lowers) text += lower.native() + '\0';
  }
  return text + '\0';
}

struct Order {
  fs::path path;
  std::optional<OverlayPlan> plan;
};

Order read_order(int from) {
  std::vector<std::string> parts(1);
  for (char next = 0;;) {
    if (::read(from, &next, 1) != 1) throw Error(ErrorCode::internal, "nobody tells the workspace");
    if (next != '\0') {
      parts.back() += next;
    } else if (parts.back().empty()) {
      break;
    } else {
      parts.emplace_back();
    }
  }
  parts.pop_back();
  Order order{parts.at(0), std::nullopt};
  if (parts.size() == 1) return order;
  OverlayPlan& plan = order.plan.emplace();
  plan.user_namespace = parts.at(1) == "user";
  plan.upper = parts.at(2);
  plan.work = parts.at(3);
  plan.target = parts.at(4);
  plan.lowers.assign(parts.begin() + 5, parts.end());
  return order;
}

}  // namespace

Snapshot snapshot_of(const fs::path& directory, Times times) {
  Snapshot all;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(directory)) {
    all.emplace(entry.path().lexically_relative(directory).string(), describe(entry.path(), times));
  }
  return all;
}

Snapshot snapshot_of(const LayeredTree& tree, Times times) {
  Snapshot all;
  tree.walk(
      "", [&](const TreeEntry& entry) { all.emplace(entry.path, describe(entry.real, times)); },
      [](const TreeEntry&) { return true; });
  return all;
}

Snapshot below(const Snapshot& all, const std::string& path) {
  Snapshot part;
  for (const auto& [name, what] : all) {
    if (name == path || name.starts_with(path + "/")) part.emplace(name, what);
  }
  return part;
}

std::string first_difference(const Snapshot& one, const Snapshot& other) {
  for (const auto& [path, what] : one) {
    const auto found = other.find(path);
    if (found == other.end()) return "'" + path + "' is missing: " + what;
    if (found->second != what) return "'" + path + "': " + what + " / " + found->second;
  }
  for (const auto& [path, what] : other) {
    if (!one.contains(path)) return "'" + path + "' is too much: " + what;
  }
  return {};
}

void put(const fs::path& file, std::string_view content) {
  make_directories(file.parent_path());
  write_file_atomic(file, content, 0644, false);
}

std::string why_not_mounted(MountMode mode) {
  if (mode == MountMode::copy) return {};
#ifdef __SANITIZE_THREAD__
  if (mode == MountMode::overlay_user)
    return "the sanitizer's own thread keeps the process out of user namespaces";
#endif
  static const MountMode best = [] {
    const TempDir dir;
    return probe_mount_mode(dir.path() / "work").mode;
  }();
  return best == MountMode::overlay_root || best == mode ? "" : "no overlay mounts here";
}

MountedChild::MountedChild(const std::function<std::string()>& body) {
  Pipe order = make_pipe(), answer = make_pipe();
  pid_ = ::fork();
  if (pid_ < 0) throw_errno("fork");
  if (pid_ > 0) {
    order_ = std::move(order.write);
    answer_ = std::move(answer.read);
    return;
  }
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::string said;
  try {
    const Order given = read_order(order.read.get());
    if (given.plan) mount_overlay(*given.plan);
    if (::chdir(given.path.c_str()) != 0) throw_errno("chdir");
    said = body();
  } catch (const std::exception& error) {
    said = error.what();
  }
  answer.read.reset();
  write_all(answer.write.get(), said);
  ::_exit(0);
}

MountedChild::~MountedChild() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

std::string MountedChild::run(const Workspace& workspace) {
  write_all(order_.get(), order_text(workspace));
  std::string said;
  char buffer[4096];
  for (ssize_t got = 0; (got = ::read(answer_.get(), buffer, sizeof buffer)) > 0;) {
    said.append(buffer, static_cast<std::size_t>(got));
  }
  int status = 0;
  ::waitpid(std::exchange(pid_, -1), &status, 0);
  return WIFEXITED(status) ? said : "the child was killed";
}

std::string run_mounted(const Workspace& workspace, const std::function<std::string()>& body) {
  return MountedChild(body).run(workspace);
}

}  // namespace runner::cache::testing
