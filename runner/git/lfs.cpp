#include "runner/git/lfs.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <vector>

#include "runner/base/error.h"
#include "runner/base/fd.h"
#include "runner/base/files.h"
#include "runner/base/text.h"
#include "runner/git/remote_url.h"

extern "C" char** environ;

namespace runner::git {
namespace {

UniqueFd memory_file(std::string_view content) {
  UniqueFd file(::memfd_create("lfs", MFD_CLOEXEC));
  if (!file) throw_errno("cannot make a file in memory");
  write_all(file.get(), content);
  ::lseek(file.get(), 0, SEEK_SET);
  return file;
}

std::string content_of(int fd) {
  std::string content(4096, '\0');
  const ssize_t got = ::pread(fd, content.data(), content.size(), 0);
  content.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return content;
}

std::vector<std::string> environment_of(const LfsAccess& access) {
  std::vector<std::string> values;
  for (char** one = environ; *one != nullptr; ++one) {
    const std::string_view value = *one;
    if (!value.starts_with("GIT_")) values.emplace_back(value);
  }
  values.push_back("GIT_DIR=" + access.repository.native());
  values.emplace_back("GIT_TERMINAL_PROMPT=0");
  if (!access.url.empty()) {
    values.emplace_back("GIT_CONFIG_COUNT=1");
    values.emplace_back("GIT_CONFIG_KEY_0=remote.origin.url");
    values.push_back("GIT_CONFIG_VALUE_0=" + access.url);
  }
  return values;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

class SpawnActions {
 public:
  SpawnActions() { ::posix_spawn_file_actions_init(&actions_); }
  ~SpawnActions() { ::posix_spawn_file_actions_destroy(&actions_); }
  SpawnActions(const SpawnActions&) = delete;
  SpawnActions& operator=(const SpawnActions&) = delete;
  void give(int fd, int as) { ::posix_spawn_file_actions_adddup2(&actions_, fd, as); }
  posix_spawn_file_actions_t* get() { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_{};
};

}  // namespace

std::filesystem::path find_lfs_tool() {
  const char* path = std::getenv("PATH");
  if (path == nullptr) return {};
  for (const std::string_view directory : split(path, ':')) {
    if (!directory.starts_with('/')) continue;
    std::filesystem::path tool = std::filesystem::path(directory) / "git-lfs";
    if (::access(tool.c_str(), X_OK) == 0) return tool;
  }
  return {};
}

void smudge_lfs(const LfsAccess& access, const std::string& path, std::string_view pointer, int to) {
  const UniqueFd input = memory_file(pointer), messages = memory_file("");
  SpawnActions actions;
  actions.give(input.get(), STDIN_FILENO);
  actions.give(to, STDOUT_FILENO);
  actions.give(messages.get(), STDERR_FILENO);
  std::vector<std::string> words = {access.tool.native(), "smudge", "--", path};
  std::vector<std::string> environment = environment_of(access);
  pid_t child = -1;
  const int failed = ::posix_spawn(&child, access.tool.c_str(), actions.get(), nullptr,
                                   pointers_to(words).data(), pointers_to(environment).data());
  if (failed != 0) throw_errno(failed, "cannot start " + in_quotes(access.tool.native()));
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) throw_errno("cannot wait for git-lfs");
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
  const std::string said = to_utf8(replace_all(
      content_of(messages.get()), access.url.empty() ? "\n\n" : access.url, without_credentials(access.url)));
  throw Error(ErrorCode::unavailable, "git-lfs cannot fetch " + in_quotes(to_utf8(path)) + ": " +
                                          std::string(trim(said)) +
                                          "; GIT_LFS_SKIP_SMUDGE=true leaves the pointers");
}

}  // namespace runner::git
