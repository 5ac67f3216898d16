#include "runner/cli/presenter.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "runner/base/error.h"

namespace runner::cli {
namespace {

constexpr int kTickMilliseconds = 100;

sigset_t our_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int signo : {SIGINT, SIGTERM, SIGHUP, SIGWINCH}) ::sigaddset(&set, signo);
  return set;
}

}  // namespace

Presenter::Presenter(std::unique_ptr<View> view, const Clock& clock, Output& output, Screen screen)
    : view_(std::move(view)), clock_(clock), output_(output), screen_(screen) {}

// Written under the lock: text of two threads must not change places.
void Presenter::write() {
  if (paused_) return;
  const std::string text = view_->take();
  if (!text.empty()) output_.write(text);
}

void Presenter::job_changed(const engine::JobView& job) {
  if (!view_) return;
  const std::scoped_lock lock(mutex_);
  view_->job_changed(job, clock_.now());
  if (!screen_.live) write();
}

void Presenter::job_output(std::size_t job, int attempt, std::string_view bytes) {
  if (!view_) return;
  std::unique_lock lock(mutex_);
  resumed_.wait(lock, [this] { return !paused_; });
  view_->job_output(job, attempt, bytes, clock_.now());
  if (!screen_.live) write();
}

void Presenter::note(std::string_view text) {
  if (!view_) return;
  const std::scoped_lock lock(mutex_);
  view_->note(text);
  if (!screen_.live) write();
}

void Presenter::tick(bool resized) {
  if (!view_) return;
  const std::scoped_lock lock(mutex_);
  if (resized) {
    update_size(STDOUT_FILENO, screen_);
    view_->resize(screen_);
  }
  if (paused_) return;
  view_->tick(clock_.now());
  write();
}

void Presenter::finish(const Outcome& outcome) {
  if (!view_) return;
  const std::scoped_lock lock(mutex_);
  view_->finish(outcome, clock_.now());
  write();
}

void Presenter::pause() {
  const std::scoped_lock lock(mutex_);
  if (view_) {
    view_->clear_live();
    write();
  }
  paused_ = true;
}

void Presenter::resume() {
  {
    const std::scoped_lock lock(mutex_);
    paused_ = false;
    if (view_ && !screen_.live) write();
  }
  resumed_.notify_all();
}

BlockedSignals::BlockedSignals() {
  const sigset_t set = our_signals();
  const int error = ::pthread_sigmask(SIG_BLOCK, &set, &old_mask_);
  if (error != 0) throw_errno(error, "cannot block signals");
}

BlockedSignals::~BlockedSignals() {
  ::pthread_sigmask(SIG_SETMASK, &old_mask_, nullptr);
}

SignalThread::SignalThread(Presenter& presenter, std::function<void(int)> stop_asked)
    : presenter_(presenter), stop_asked_(std::move(stop_asked)) {
  const sigset_t set = our_signals();
  signals_.reset(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_) throw_errno("cannot make a signal descriptor");
  thread_ = std::thread([this] { run(); });
}

SignalThread::~SignalThread() {
  end_.signal();
  thread_.join();
}

void SignalThread::run() {
  int requests = 0;
  while (true) {
    std::array<pollfd, 2> wait{{{signals_.get(), POLLIN, 0}, {end_.fd(), POLLIN, 0}}};
    const int ready = ::poll(wait.data(), wait.size(), presenter_.live() ? kTickMilliseconds : -1);
    if (ready < 0 && errno != EINTR) return;
    if (wait[1].revents != 0) return;
    bool resized = false;
    signalfd_siginfo info{};
    while (::read(signals_.get(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
      if (info.ssi_signo == SIGWINCH) {
        resized = true;
      } else {
        stop_asked_(++requests);
      }
    }
    if (presenter_.live()) presenter_.tick(resized);
  }
}

}  // namespace runner::cli
