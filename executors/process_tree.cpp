#include "executors/process_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "runner/base/fd.h"

namespace runner::executors {
namespace {

struct ProcessInfo {
  pid_t parent = 0;
  pid_t group = 0;
  char state = '?';
  std::string start_time;  // tells a reused pid from the process seen before
};

std::string read_proc(pid_t pid, const char* file) {
  const std::string path = "/proc/" + std::to_string(pid) + "/" + file;
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  if (!fd) return text;
  std::array<char, 4096> buffer{};
  ssize_t got = 0;
  while ((got = ::read(fd.get(), buffer.data(), buffer.size())) > 0)
    text.append(buffer.data(), static_cast<std::size_t>(got));
  return text;
}

std::optional<ProcessInfo> process_info(pid_t pid) {
  const std::string text = read_proc(pid, "stat");
  // The name in parentheses may hold anything, blanks and parentheses too.
  const std::size_t close = text.rfind(')');
  if (close == std::string::npos || close + 4 > text.size()) return std::nullopt;
  ProcessInfo info;
  info.state = text[close + 2];
  std::size_t at = close + 4;
  const char* const text_end = text.data() + text.size();
  const char* const parent_end = std::from_chars(text.data() + at, text_end, info.parent).ptr;
  if (parent_end == text_end) return std::nullopt;
  std::from_chars(parent_end + 1, text_end, info.group);
  constexpr int kFieldsToStartTime = 18;  // from ppid (4) to starttime (22)
  for (int field = 0; field < kFieldsToStartTime && at != std::string::npos; ++field) {
    at = text.find(' ', at);
    if (at != std::string::npos) ++at;
  }
  if (at == std::string::npos) return std::nullopt;
  info.start_time = text.substr(at, text.find(' ', at) - at);
  return info;
}

std::vector<pid_t> all_pids() {
  std::vector<pid_t> pids;
  const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir("/proc"), &::closedir);
  if (!dir) return pids;
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string_view name = entry->d_name;
    pid_t pid = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error == std::errc{} && end == name.data() + name.size()) pids.push_back(pid);
  }
  return pids;
}

using Processes = std::map<pid_t, ProcessInfo>;

Processes living_processes() {
  Processes processes;
  for (const pid_t pid : all_pids())
    if (auto info = process_info(pid); info && info->state != 'Z' && info->state != 'X')
      processes.emplace(pid, std::move(*info));
  return processes;
}

/// All below the roots; the roots themselves are not in it.
std::set<pid_t> descendants(const Processes& processes, const std::set<pid_t>& roots) {
  std::multimap<pid_t, pid_t> children;
  for (const auto& [pid, info] : processes) children.emplace(info.parent, pid);
  std::set<pid_t> found;
  std::vector<pid_t> open(roots.begin(), roots.end());
  while (!open.empty()) {
    const pid_t parent = open.back();
    open.pop_back();
    for (auto [at, last] = children.equal_range(parent); at != last; ++at)
      if (roots.count(at->second) == 0 && found.insert(at->second).second) open.push_back(at->second);
  }
  return found;
}

void signal_same_process(pid_t pid, const ProcessInfo& seen, int signo) {
  const UniqueFd fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!fd) return;
  const auto now = process_info(pid);
  if (now && now->start_time == seen.start_time)
    ::syscall(SYS_pidfd_send_signal, fd.get(), signo, nullptr, 0);
}

// In the middle of execve() a process shows neither arguments nor environment for a moment. Kernel threads
// never do.
bool is_in_exec(pid_t pid, const ProcessInfo& info) {
  constexpr pid_t kKernelThreads = 2;
  return pid != kKernelThreads && info.parent != kKernelThreads && read_proc(pid, "cmdline").empty();
}

// Longer than an execve() takes; not for ever, because a process may clear its arguments on purpose.
constexpr std::chrono::milliseconds kExecPatience{500};

bool holds(std::string_view environment, std::string_view entry) {
  while (!environment.empty()) {
    const std::size_t end = environment.find('\0');
    if (environment.substr(0, end) == entry) return true;
    if (end == std::string_view::npos) return false;
    environment.remove_prefix(end + 1);
  }
  return false;
}

// Whatever is in a group of a descendant is a descendant too, unless it is our own group: groups never leave
// their session, and ours is another one.
void kill_groups_of_descendants() {
  const Processes processes = living_processes();
  std::set<pid_t> done = {0, 1, ::getpgrp()};
  for (const pid_t pid : descendants(processes, {::getpid()})) {
    const ProcessInfo& info = processes.at(pid);
    if (done.count(info.group) != 0) continue;
    // A group lives as long as a member; one that ended is tried again with the next member.
    const auto now = process_info(pid);
    if (!now || now->start_time != info.start_time || now->group != info.group) continue;
    done.insert(info.group);
    ::kill(-info.group, SIGKILL);
  }
}

}  // namespace

void terminate_descendants(pid_t group) {
  // What a shell forks while /proc is read would be missed, and the shell would wait for it before it obeys.
  // The kernel lets no fork slip through here.
  if (group > 1) ::kill(-group, SIGTERM);
  const Processes processes = living_processes();
  for (const pid_t pid : descendants(processes, {::getpid()}))
    if (processes.at(pid).group != group) signal_same_process(pid, processes.at(pid), SIGTERM);
}

void kill_descendants() {
  // The kernel lets no fork slip through, however fast a group multiplies. The rest is for those with new
  // groups.
  kill_groups_of_descendants();
  constexpr int kMaxPasses = 200;
  std::set<std::pair<pid_t, std::string>> frozen;
  for (int pass = 0; pass < kMaxPasses; ++pass) {
    const Processes processes = living_processes();
    bool found_new = false;
    for (const pid_t pid : descendants(processes, {::getpid()})) {
      const ProcessInfo& info = processes.at(pid);
      if (!frozen.emplace(pid, info.start_time).second) continue;
      found_new = true;
      signal_same_process(pid, info, SIGSTOP);
    }
    if (!found_new) break;
  }
  const Processes processes = living_processes();
  for (const pid_t pid : descendants(processes, {::getpid()}))
    signal_same_process(pid, processes.at(pid), SIGKILL);
}

bool kill_by_environment(std::string_view entry, std::chrono::steady_clock::time_point deadline) {
  using std::chrono::steady_clock;
  const auto patience = std::min(deadline, steady_clock::now() + kExecPatience);
  while (true) {
    const Processes processes = living_processes();
    std::set<pid_t> marked;
    bool in_exec = false;
    for (const auto& [pid, info] : processes) {
      if (pid == ::getpid()) continue;
      const std::string environment = read_proc(pid, "environ");
      if (holds(environment, entry)) marked.insert(pid);
      if (environment.empty() && is_in_exec(pid, info)) in_exec = true;
    }
    if (marked.empty() && (!in_exec || steady_clock::now() >= patience)) return true;
    std::set<pid_t> below = descendants(processes, marked);
    below.erase(::getpid());
    marked.insert(below.begin(), below.end());
    for (const pid_t pid : marked) signal_same_process(pid, processes.at(pid), SIGKILL);
    if (!marked.empty() && steady_clock::now() >= deadline) return false;
    ::poll(nullptr, 0, 2);  // a killed process needs a moment; it is not our child, so nobody tells us
  }
}

}  // namespace runner::executors
