#include "executors/overlay.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <vector>

#include "runner/base/fd.h"

namespace runner::executors {
namespace {

bool write_text(const char* path, const std::string& text) {
  const UniqueFd fd(::open(path, O_WRONLY | O_CLOEXEC));
  return fd && ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

std::string map_to_itself(unsigned id) {
  return std::to_string(id) + " " + std::to_string(id) + " 1";
}

bool enter_namespaces(bool user_namespace) {
  const unsigned uid = ::geteuid();
  const unsigned gid = ::getegid();
  if (::unshare(user_namespace ? CLONE_NEWUSER | CLONE_NEWNS : CLONE_NEWNS) != 0) return false;
  if (user_namespace &&
      (!write_text("/proc/self/setgroups", "deny") || !write_text("/proc/self/uid_map", map_to_itself(uid)) ||
       !write_text("/proc/self/gid_map", map_to_itself(gid))))
    return false;
  return ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
}

}  // namespace

void forget_volatile_mark(const std::string& work) {
  ::unlink((work + "/work/incompat/volatile/dirty").c_str());
  ::rmdir((work + "/work/incompat/volatile").c_str());
  ::rmdir((work + "/work/incompat").c_str());
}

Report mount_overlay(const OverlayMount& overlay) {
  if (!enter_namespaces(overlay.user_namespace)) return {Stage::name_space, errno, 0};

  // Layers go in as numbers of open descriptors, relative to /proc/self/fd: paths may hold any character, and
  // hundreds of them fit into the 4096 bytes of options that mount(2) takes.
  std::vector<UniqueFd> layers;
  std::string lowers;
  std::vector<const std::filesystem::path*> paths;
  for (const auto& lower : overlay.lowers) paths.push_back(&lower);
  paths.push_back(&overlay.upper);
  paths.push_back(&overlay.work);
  for (std::uint32_t i = 0; i < paths.size(); ++i) {
    layers.emplace_back(::open(paths[i]->c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!layers.back()) return {Stage::layer, errno, i};
    if (i < overlay.lowers.size()) lowers += (i > 0 ? ":" : "") + std::to_string(layers.back().get());
  }
  forget_volatile_mark(overlay.work.native());

  // `volatile`: without it every unmount syncs the whole file system below the upper directory.
  const std::string options = "userxattr,index=off,volatile,lowerdir=" + lowers +
                              ",upperdir=" + std::to_string(layers[layers.size() - 2].get()) +
                              ",workdir=" + std::to_string(layers.back().get());
  constexpr std::size_t kMaxOptions = 4096;
  if (options.size() >= kMaxOptions) return {Stage::mount, E2BIG, 0};
  if (::chdir("/proc/self/fd") != 0) return {Stage::mount, errno, 0};
  const int mounted = ::mount("runner", overlay.target.c_str(), "overlay", 0, options.c_str());
  const int error = errno;
  if (::chdir("/") != 0) return {Stage::internal, errno, 0};
  return mounted == 0 ? Report{} : Report{Stage::mount, error, 0};
}

}  // namespace runner::executors
