#include "executors/command.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <string_view>
#include <vector>

#include "runner/base/text.h"

namespace runner::executors {
namespace {

constexpr std::string_view kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

std::vector<std::string> candidates(const LaunchRequest& request) {
  const std::string& name = request.argv[0];
  if (name.empty() || name.find('/') != std::string::npos) return {name};
  std::string_view path = kDefaultPath;
  for (const std::string_view entry : request.env)
    if (entry.substr(0, 5) == "PATH=") path = entry.substr(5);
  std::vector<std::string> files;
  for (const std::string_view directory : split(path, ':'))
    files.push_back(directory.empty() ? name : std::string(directory) + "/" + name);
  return files;
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> result;
  result.reserve(texts.size() + 1);
  // execve() takes char* for historical reasons and does not write.
  for (const auto& text : texts) result.push_back(const_cast<char*>(text.c_str()));
  result.push_back(nullptr);
  return result;
}

/// Everything the child needs, ready made: it shares our memory and must neither allocate nor lock.
struct ChildPlan {
  char* const* files;
  char* const* argv;
  char* const* env;
  int output;
  int errors;
  rlim_t file_size;
};

[[noreturn]] void become_command(const ChildPlan& plan) noexcept {
  ::setsid();
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  int error = 0;
  if (plan.file_size != 0) {
    const rlimit limit{plan.file_size, plan.file_size};
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) error = errno;
  }
  if (::dup2(plan.output, STDOUT_FILENO) < 0 || ::dup2(plan.output, STDERR_FILENO) < 0) error = errno;
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  if (error == 0) {
    error = ENOENT;
    for (char* const* file = plan.files; *file != nullptr; ++file) {
      ::execve(*file, plan.argv, plan.env);
      if (errno == EACCES) error = EACCES;  // as a shell does: another directory may have it
      if (errno != ENOENT && errno != ENOTDIR && errno != EACCES) {
        error = errno;
        break;
      }
    }
  }
  // A failed write shows as a command that ended with 127 at once.
  [[maybe_unused]] const ssize_t written = ::write(plan.errors, &error, sizeof error);
  ::_exit(127);
}

// On its own, so that nothing lives in registers across the return of vfork. The linter wants posix_spawn,
// which can set no limits; the child calls nothing that is unsafe here, and fork would copy the page tables
// of the supervisor.
__attribute__((noinline)) pid_t vfork_command(const ChildPlan& plan) noexcept {
  const pid_t pid = ::vfork();         // NOLINT(clang-analyzer-security.insecureAPI.vfork)
  if (pid == 0) become_command(plan);  // NOLINT(clang-analyzer-unix.Vfork)
  return pid;
}

}  // namespace

StartedCommand start_command(const LaunchRequest& request, const UniqueFd& output) {
  const std::vector<std::string> files = candidates(request);
  const std::vector<char*> file_pointers = pointers(files);
  const std::vector<char*> argv = pointers(request.argv);
  const std::vector<char*> env = pointers(request.env);
  Pipe errors = make_pipe();
  const ChildPlan plan{file_pointers.data(), argv.data(),        env.data(),
                       output.get(),         errors.write.get(), request.file_size_bytes};
  const pid_t pid = vfork_command(plan);
  if (pid < 0) return {{Stage::internal, errno, 0}, -1};
  errors.write.reset();
  int error = 0;
  ssize_t got = 0;
  do {
    got = ::read(errors.read.get(), &error, sizeof error);
  } while (got < 0 && errno == EINTR);
  if (got == 0) return {{}, pid};
  ::waitpid(pid, nullptr, 0);
  return {{Stage::execute, got == sizeof error ? error : EIO, 0}, -1};
}

}  // namespace runner::executors
