#include "executors/terminal_step.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <thread>
#include <utility>

#include "executors/unseen.h"
#include "runner/base/error.h"
#include "runner/base/fd.h"
#include "runner/base/log.h"

namespace runner::executors {
namespace {

constexpr int kExecFailed = 126;

class ShellTerminal final : public TerminalSession {
 public:
  ShellTerminal(UniqueFd ours, UniqueFd theirs, std::unique_ptr<UnseenSink> sink, std::unique_ptr<Step> step)
      : ours_(std::move(ours)),
        theirs_(std::move(theirs)),
        sink_(std::move(sink)),
        step_(std::move(step)),
        thread_([this] { wait(); }) {}
  ~ShellTerminal() override {
    step_->stop(std::chrono::milliseconds(0));
    thread_.join();
  }
  ShellTerminal(const ShellTerminal&) = delete;
  ShellTerminal& operator=(const ShellTerminal&) = delete;

  int fd() const noexcept override { return ours_.get(); }
  void resize(std::uint16_t rows, std::uint16_t columns) noexcept override {
    const winsize size{rows, columns, 0, 0};
    ::ioctl(ours_.get(), TIOCSWINSZ, &size);
  }

 private:
  void wait() noexcept {
    try {
      step_->wait();
    } catch (const std::exception& error) {
      log_warn("executor", error.what());
    }
    theirs_.reset();  // the last one: whoever reads our end sees the end of file
  }

  UniqueFd ours_, theirs_;
  std::unique_ptr<UnseenSink> sink_;
  std::unique_ptr<Step> step_;
  std::thread thread_;  // last: it uses the others
};

}  // namespace

std::unique_ptr<TerminalSession> open_shell_terminal(const StepSpec& spec, const std::string& program,
                                                     const StartUnseen& start) {
  UniqueFd ours(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  std::array<char, 64> name{};
  if (!ours || ::grantpt(ours.get()) != 0 || ::unlockpt(ours.get()) != 0 ||
      ::ptsname_r(ours.get(), name.data(), name.size()) != 0)
    throw_errno("cannot make a terminal");
  UniqueFd theirs(::open(name.data(), O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!theirs) throw_errno("cannot open the terminal '" + std::string(name.data()) + "'");
  StepSpec step = spec;
  step.argv = {program, kOnTerminalWord, name.data()};
  step.argv.insert(step.argv.end(), spec.argv.begin(), spec.argv.end());
  auto sink = std::make_unique<UnseenSink>();
  auto started = start(step, *sink);
  return std::make_unique<ShellTerminal>(std::move(ours), std::move(theirs), std::move(sink),
                                         std::move(started));
}

int on_terminal_main(char** argv) {
  const int terminal = ::open(argv[0], O_RDWR);
  // A step leads a session of its own, so it may have one.
  if (terminal < 0 || ::ioctl(terminal, TIOCSCTTY, 0) != 0) return kExecFailed;
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) ::dup2(terminal, fd);
  if (terminal > STDERR_FILENO) ::close(terminal);
  ::execvp(argv[1], argv + 1);
  return kExecFailed;
}

}  // namespace runner::executors
