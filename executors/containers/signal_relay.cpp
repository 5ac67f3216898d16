#include "executors/containers/signal_relay.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <nlohmann/json.hpp>

#include "runner/base/percent.h"

namespace runner::executors {
namespace {

using Json = nlohmann::json;
using std::chrono::milliseconds;

// Between the two signals to a container whose runner was killed. Our supervisor gives us two seconds then.
constexpr milliseconds kOrphanedGrace{1200};
// The kernel lets no default action end the first process of a container. Whether it has said what to do
// about SIGTERM (signal 15) stands in its status as hexadecimal masks: the fourth digit from the end, and in
// it 4.
constexpr int kNothingSaid = 3;
constexpr const char* kAskAll = R"(kill -TERM -1
while read -r name mask; do
  case $name in SigIgn:|SigCgt:)
    mask=${mask%???}
    case ${mask#"${mask%?}"} in [4567cdefCDEF]) exit 0;; esac;;
  esac
done < /proc/1/status
exit 3)";
constexpr Waits kSignal{std::chrono::seconds(20), std::chrono::seconds(30), std::chrono::seconds(60)};

}  // namespace

SignalRelay::SignalRelay(const EngineApi& api, const std::string& container, pid_t ends_with)
    : api_(api), path_("/containers/" + percent_encode(container)) {
  sigset_t asked;
  sigemptyset(&asked);
  sigaddset(&asked, SIGTERM);
  sigaddset(&asked, SIGINT);
  sigaddset(&asked, SIGHUP);
  ::pthread_sigmask(SIG_BLOCK, &asked, nullptr);
  signals_ = UniqueFd(::signalfd(-1, &asked, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!signals_) throw_errno("cannot make a signal descriptor");
  if (ends_with > 0) {
    runner_ = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, ends_with, 0)));
    orphaned_ = !runner_;  // it has ended already
  }
  thread_ = std::thread([this] { run(); });
}

SignalRelay::~SignalRelay() {
  end_.signal();
  thread_.join();
}

void SignalRelay::container_started() {
  started_ = true;
  if (asked_) ask_all();
}

void SignalRelay::run() {
  if (orphaned_) end_orphaned();
  pollfd watched[3] = {{end_.fd(), POLLIN, 0}, {signals_.get(), POLLIN, 0}, {runner_.get(), POLLIN, 0}};
  for (;;) {
    if (::poll(watched, 3, -1) < 0) continue;
    if (watched[0].revents != 0) return;
    if (watched[1].revents != 0) {
      signalfd_siginfo info{};
      while (::read(signals_.get(), &info, sizeof info) > 0) {
      }
      ask();
    }
    if (watched[2].revents != 0) {
      watched[2].fd = -1;
      end_orphaned();
    }
  }
}

void SignalRelay::ask() {
  asked_ = true;
  if (started_) ask_all();
}

// As a step of the shell executor gets it: all its processes do, as a shell looks at its signals only once
// the command in front of it has ended; and who has said nothing of the signal dies of it.
void SignalRelay::ask_all() noexcept {
  pass_on("SIGTERM");
  try {
    const Json wanted = {{"Cmd", {"sh", "-c", kAskAll}}, {"AttachStdout", true}};
    const EngineAnswer made = api_.call({"POST", path_ + "/exec", wanted.dump()}, kSignal);
    const Json json = Json::parse(made.body, nullptr, false);
    if (!made.ok() || !json.is_object() || !json.contains("Id") || !json["Id"].is_string()) return;
    const std::string exec = "/exec/" + percent_encode(json["Id"].get<std::string>());
    // Attached: the answer ends with it.
    api_.call({"POST", exec + "/start", R"({"Detach": false})"}, kSignal);
    const Json end = Json::parse(api_.call({"GET", exec + "/json"}, kSignal).body, nullptr, false);
    if (end.is_object() && end.contains("ExitCode") && end["ExitCode"] == kNothingSaid) pass_on("SIGKILL");
  } catch (const std::exception&) {
    // Its main process was asked, and when the grace is over, nobody is.
  }
}

void SignalRelay::end_orphaned() {
  ask();
  pollfd ended{end_.fd(), POLLIN, 0};
  if (::poll(&ended, 1, static_cast<int>(kOrphanedGrace.count())) == 0) pass_on("SIGKILL");
}

// A failure shows in what the main thread reads; the container is ended by the runner or a later one.
void SignalRelay::pass_on(const char* signal) noexcept {
  try {
    api_.call({"POST", path_ + "/kill?signal=" + signal}, kSignal);
  } catch (const std::exception& error) {
    const std::string text = std::string("runner: cannot pass ") + signal + " on: " + error.what() + "\n";
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
  }
}

}  // namespace runner::executors
