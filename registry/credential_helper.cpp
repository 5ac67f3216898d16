#include "registry/credential_helper.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

#include "registry/login_json.h"
#include "runner/base/error.h"
#include "runner/base/fd.h"
#include "runner/base/patience.h"
#include "runner/base/text.h"

namespace runner::registry {
namespace {

constexpr std::size_t kMostOutput = 64U << 10U;
constexpr std::string_view kUnknown = "credentials not found";  // of all helpers, as the library says it

/// One run of a program: its input is `input`, its output is kept.
class Program {
 public:
  Program(const std::string& file, std::string_view input) {
    std::array<int, 2> pair{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair.data()) != 0)
      throw_errno("cannot make a socket");
    socket_.reset(pair[0]);
    const UniqueFd theirs(pair[1]);
    // As it writes nobody else may; what it does not read it does not need.
    static_cast<void>(::send(socket_.get(), input.data(), input.size(), MSG_NOSIGNAL));
    ::shutdown(socket_.get(), SHUT_WR);
    posix_spawn_file_actions_t actions{};
    posix_spawnattr_t attributes{};
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_adddup2(&actions, theirs.get(), STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, theirs.get(), STDOUT_FILENO);
    // What it says to people may hold what it keeps.
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    sigset_t none;
    sigemptyset(&none);
    sigset_t defaults = none;
    sigaddset(&defaults, SIGPIPE);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    std::string name = file, verb = "get";
    std::array<char*, 3> words = {name.data(), verb.data(), nullptr};
    const int error = ::posix_spawnp(&pid_, name.c_str(), &actions, &attributes, words.data(), environ);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    if (error == 0) return;
    pid_ = -1;
    if (error == ENOENT)
      throw Error(ErrorCode::unavailable,
                  "there is no program " + in_quotes(file) + " in PATH; install it, or log in anew");
    throw_errno(error, "cannot start " + in_quotes(file));
  }
  ~Program() { end(); }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  /// All it writes, until it ends.
  std::string output(const Patience& patience) {
    const std::stop_callback on_stop(patience.stop(), [this] { stopped_.signal(); });
    std::string all;
    for (;;) {
      std::array<pollfd, 2> watched = {{{socket_.get(), POLLIN, 0}, {stopped_.fd(), POLLIN, 0}}};
      const int ready = ::poll(watched.data(), watched.size(), patience.left());
      if (ready < 0 && errno != EINTR) throw_errno("cannot wait for a program");
      if (ready <= 0 || watched[0].revents == 0) continue;
      std::array<char, 4096> piece{};
      const ssize_t got = ::recv(socket_.get(), piece.data(), piece.size(), MSG_DONTWAIT);
      if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (got <= 0) return all;  // ECONNRESET: it ended without reading
      all.append(piece.data(), static_cast<std::size_t>(got));
      if (all.size() > kMostOutput)
        throw Error(ErrorCode::unavailable, "it writes more than " + format_bytes(kMostOutput));
    }
  }

  /// Its exit status, once it has closed its output; 128 + signal when it was killed.
  int status(const Patience& patience) {
    const std::stop_callback on_stop(patience.stop(), [this] { stopped_.signal(); });
    const UniqueFd process(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    if (!process) throw_errno("cannot watch a program");
    for (;;) {
      std::array<pollfd, 2> watched = {{{process.get(), POLLIN, 0}, {stopped_.fd(), POLLIN, 0}}};
      const int ready = ::poll(watched.data(), watched.size(), patience.left());
      if (ready < 0 && errno != EINTR) throw_errno("cannot wait for a program");
      if (ready > 0 && watched[0].revents != 0) break;
    }
    end();
    return WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_);
  }

 private:
  void end() noexcept {
    if (pid_ <= 0) return;
    ::kill(-pid_, SIGKILL);  // its session
    while (::waitpid(pid_, &status_, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
  }

  UniqueFd socket_;
  WakeUp stopped_;
  pid_t pid_ = -1;
  int status_ = 0;
};

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= 100 && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                  c == '_' || c == '.';
         });
}

}  // namespace

std::optional<Login> ask_helper(const std::string& name, const std::string& host,
                                std::chrono::milliseconds time, const std::stop_token& stop) {
  if (!is_name(name))
    throw Error(ErrorCode::invalid_input,
                "what keeps the logins has a name that is none; it has letters, digits, '-', '_' and '.'");
  const std::string file = "docker-credential-" + name;
  // A patience that is at its end throws with words about servers.
  const Patience patience({{}, {}, time}, stop);
  try {
    Program program(file, host == "docker.io" ? "https://index.docker.io/v1/" : host);
    const std::string output = program.output(patience);
    const int status = program.status(patience);
    if (status != 0) {
      if (output.find(kUnknown) != std::string::npos) return std::nullopt;
      throw Error(ErrorCode::unavailable, in_quotes(file) + " failed with status " + std::to_string(status) +
                                              "; call it by hand, as the user that this runs as");
    }
    std::optional<Login> login = parse_helper_answer(output);
    if (!login) throw Error(ErrorCode::unavailable, in_quotes(file) + " answers with what is no login");
    return login;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::timeout) throw;
    throw Error(ErrorCode::timeout, in_quotes(file) + " did not answer within " + format_duration(time) +
                                        "; it may wait for somebody to type, call it by hand");
  }
}

}  // namespace runner::registry
