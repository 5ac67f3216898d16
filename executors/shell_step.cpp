#include "executors/shell_step.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "executors/channel.h"
#include "executors/process_tree.h"
#include "executors/supervisor.h"
#include "runner/base/error.h"
#include "runner/base/files.h"

namespace runner::executors {
namespace {

constexpr std::size_t kReadSize = 256U << 10U;
// What the sink has is taken out of the spool, but not the last part: a sink may keep that much in memory,
// and needs it again when the runner is killed.
constexpr std::uint64_t kPunchEvery = 16U << 20U;
constexpr std::chrono::seconds kOrphanTime{10};

std::optional<EndRecord> read_end(const std::filesystem::path& dir) {
  const auto text = read_file(dir / kEndFile);
  return text ? decode_end(*text) : std::nullopt;
}

/// For writing, as what was read is taken out of it. A disk that is read-only at the moment leaves it there:
/// that must not end a step that runs.
UniqueFd open_spool(const std::filesystem::path& file) {
  UniqueFd spool(::open(file.c_str(), O_RDWR | O_CLOEXEC));
  if (!spool && errno == EROFS) spool.reset(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!spool) throw_errno("cannot open '" + file.native() + "'");
  return spool;
}

/// The spool, from an offset into a sink.
class SpoolReader {
 public:
  SpoolReader(const std::filesystem::path& dir, std::uint64_t offset, LogSink& sink)
      : file_(open_spool(dir / kSpoolFile)), offset_(offset), punched_(offset), sink_(sink) {}

  void pass_on() {
    if (!buffer_) buffer_ = std::make_unique<std::byte[]>(kReadSize);
    while (true) {
      const ssize_t got = ::pread(file_.get(), buffer_.get(), kReadSize, static_cast<off_t>(offset_));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) throw_errno("cannot read the output of a step");
      if (got == 0) return;
      sink_.write(Stream::out, std::span(buffer_.get(), static_cast<std::size_t>(got)));
      offset_ += static_cast<std::uint64_t>(got);
      if (offset_ - punched_ >= 2 * kPunchEvery) punch();
      if (static_cast<std::size_t>(got) < kReadSize) return;
    }
  }

 private:
  void punch() {
    const std::uint64_t end = offset_ - kPunchEvery;
    // Where a file system cannot, the output stays on disk until the step is removed.
    ::fallocate(file_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(punched_),
                static_cast<off_t>(end - punched_));
    punched_ = end;
  }

  UniqueFd file_;
  std::unique_ptr<std::byte[]> buffer_;
  std::uint64_t offset_;
  std::uint64_t punched_;
  LogSink& sink_;
};

class ShellStep final : public Step {
 public:
  ShellStep(StepPlace place, std::optional<LaunchedStep> supervisor, std::uint64_t offset, bool attached,
            LogSink& sink)
      : place_(std::move(place)),
        spool_(place_.dir, offset, sink),
        supervisor_(std::move(supervisor)),
        attached_(attached),
        sink_(sink) {}

  StepEnd wait() override {
    if (end_) return *end_;
    if (supervisor_) follow();
    // Only now: while the supervisor lived, an empty record meant nothing.
    const auto record = read_end(place_.dir);
    if (!record) end_orphans();
    spool_.pass_on();
    if (record && record->spool_errno != 0) report_loss(*record);
    end_ = record ? record->end
                  : StepEnd{Lost{attached_ ? "it was no longer running and its end was not recorded"
                                           : "its supervisor was killed"}};
    return *end_;
  }

  void stop(std::chrono::milliseconds grace) noexcept override {
    if (!supervisor_) return;
    const StopCommand command{grace.count()};
    // Fails only when the supervisor is gone; wait() tells.
    send_message(supervisor_->channel.get(), std::as_bytes(std::span(&command, 1)), {}, MSG_DONTWAIT);
  }

 private:
  void follow() {
    pollfd watched[2] = {{supervisor_->pidfd.get(), POLLIN, 0}, {supervisor_->channel.get(), POLLIN, 0}};
    while (true) {
      if (::poll(watched, 2, -1) < 0) {
        if (errno == EINTR) continue;
        throw_errno("cannot wait for a step");
      }
      if (watched[0].revents != 0) return;
      if (watched[1].revents != 0 && !hear_bells()) {
        // With the end written, the rest of its life is the kernel's: taking a mount namespace down can last
        // tens of milliseconds.
        if (read_end(place_.dir)) return;
        watched[1].fd = -1;
      }
      if (watched[1].fd >= 0) spool_.pass_on();
    }
  }

  bool hear_bells() const {
    std::byte bell{};
    while (true) {
      const ssize_t got = ::recv(supervisor_->channel.get(), &bell, 1, MSG_DONTWAIT);
      if (got == 0) return false;
      if (got < 0) return errno == EAGAIN || errno == EINTR;
    }
  }

  void end_orphans() {
    if (!kill_by_environment(place_.cookie, std::chrono::steady_clock::now() + kOrphanTime))
      throw Error(ErrorCode::timeout, "processes of '" + place_.dir.native() + "' cannot be killed");
  }

  void report_loss(const EndRecord& record) {
    const std::string text = "\nrunner: " + std::to_string(record.lost_bytes) +
                             " bytes of output are lost: " + std::strerror(record.spool_errno) + "\n";
    sink_.write(Stream::err, std::as_bytes(std::span(text)));
  }

  StepPlace place_;
  SpoolReader spool_;
  const std::optional<LaunchedStep> supervisor_;  // const: stop() reads it from other threads
  const bool attached_;
  LogSink& sink_;
  std::optional<StepEnd> end_;
};

}  // namespace

bool wait_until_ended(const UniqueFd& pidfd, Deadline deadline) {
  pollfd ended{pidfd.get(), POLLIN, 0};
  while (true) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    const int timeout = static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 60'000));
    const int ready = ::poll(&ended, 1, timeout);
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) throw_errno("cannot wait for a supervisor");
    if (left.count() <= 0) return false;
  }
}

std::unique_ptr<Step> make_shell_step(StepPlace place, LaunchedStep launched, LogSink& sink) {
  return std::make_unique<ShellStep>(std::move(place), std::move(launched), 0, false, sink);
}

std::unique_ptr<Step> attach_shell_step(StepPlace place, std::uint64_t log_offset, LogSink& sink) {
  auto supervisor = find_supervisor(place.dir);
  return std::make_unique<ShellStep>(std::move(place), std::move(supervisor), log_offset, true, sink);
}

std::optional<LaunchedStep> find_supervisor(const std::filesystem::path& dir) {
  const UniqueFd directory(::open(dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return std::nullopt;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string name = "/proc/self/fd/" + std::to_string(directory.get()) + "/" + kControlSocket;
  std::memcpy(address.sun_path, name.c_str(), name.size() + 1);
  UniqueFd channel(::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
  if (!channel) throw_errno("cannot make a socket");
  if (::connect(channel.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
    return std::nullopt;
  Report report;
  Received received = receive_message(channel.get(), std::as_writable_bytes(std::span(&report, 1)));
  if (received.size != sizeof report || received.fds.size() != 1) return std::nullopt;  // it ended just now
  return LaunchedStep{std::move(channel), std::move(received.fds[0])};
}

void end_step(const StepPlace& place, Deadline deadline) {
  if (read_end(place.dir)) return;  // written when nothing is left
  if (const auto supervisor = find_supervisor(place.dir)) {
    const StopCommand now{0};
    send_message(supervisor->channel.get(), std::as_bytes(std::span(&now, 1)), {}, MSG_DONTWAIT);
    if (!wait_until_ended(supervisor->pidfd, deadline)) {
      ::syscall(SYS_pidfd_send_signal, supervisor->pidfd.get(), SIGKILL, nullptr, 0);
      wait_until_ended(supervisor->pidfd, std::chrono::steady_clock::now() + std::chrono::seconds(1));
    }
  }
  if (read_end(place.dir)) return;
  if (!kill_by_environment(place.cookie,
                           std::max(deadline, std::chrono::steady_clock::now() + std::chrono::seconds(1))))
    throw Error(ErrorCode::timeout, "processes of '" + place.dir.native() + "' cannot be killed");
}

}  // namespace runner::executors
