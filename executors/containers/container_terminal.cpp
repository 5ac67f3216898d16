#include "executors/containers/container_terminal.h"

#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <nlohmann/json.hpp>
#include <utility>

#include "runner/base/fd.h"
#include "runner/base/files.h"
#include "runner/base/log.h"
#include "runner/base/percent.h"

namespace runner::executors {
namespace {

using Json = nlohmann::json;
using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::chrono::seconds kStartTime{60};
constexpr milliseconds kBetweenLooks{20};
constexpr int kResizeTries = 50;
constexpr std::size_t kLongestHead = 16U << 10U;

Json parsed(const std::string& body, const char* what) {
  Json json = Json::parse(body, nullptr, false);
  if (json.is_object()) return json;
  throw Error(ErrorCode::unavailable, std::string("what the engine says of ") + what + " cannot be read");
}

void await_start(const EngineApi& api, const std::string& path) {
  const auto deadline = Clock::now() + kStartTime;
  for (;;) {
    const Json json = parsed(api.expect({"GET", path + "/json"}, "look at the container"), "a container");
    const Json state = json.value("State", Json::object());
    if (state.value("Running", false)) return;
    if (Clock::now() >= deadline)
      throw Error(ErrorCode::unavailable, "the container of the job does not start again");
    ::poll(nullptr, 0, static_cast<int>(kBetweenLooks.count()));
  }
}

/// The head of an answer, up to its empty line and no further: what follows belongs to the terminal.
std::string read_head(int fd) {
  std::string head;
  const auto deadline = Clock::now() + kStartTime;
  while (!head.ends_with("\r\n\r\n")) {
    const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now());
    pollfd readable{fd, POLLIN, 0};
    if (left.count() <= 0 || head.size() > kLongestHead)
      throw Error(ErrorCode::timeout, "the container engine does not open a terminal");
    if (::poll(&readable, 1, static_cast<int>(left.count())) <= 0) continue;
    char byte = 0;
    const ssize_t got = ::recv(fd, &byte, 1, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) throw Error(ErrorCode::unavailable, "the container engine went away");
    head += byte;
  }
  return head;
}

/// A connection that has become the terminal of the exec.
UniqueFd take_over(const EngineApi& api, const std::string& exec) {
  UniqueFd fd = connect_to_engine(api.socket());
  const std::string body = R"({"Detach": false, "Tty": true})";
  write_all(fd.get(), "POST /v" + api.api() + exec + "/start HTTP/1.1\r\nHost: engine\r\n" +
                          "Content-Type: application/json\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n" +
                          "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body);
  const std::string head = read_head(fd.get());
  if (head.find(" 101 ") == std::string::npos && head.find(" 200 ") == std::string::npos)
    throw Error(ErrorCode::unavailable,
                "the container engine opens no terminal: " + head.substr(0, head.find('\r')));
  return fd;
}

class ContainerTerminal final : public TerminalSession {
 public:
  ContainerTerminal(EngineApi api, std::unique_ptr<LogSink> sink, std::unique_ptr<Step> waiting)
      : api_(std::move(api)), sink_(std::move(sink)), waiting_(std::move(waiting)) {}
  ~ContainerTerminal() override {
    fd_.reset();
    try {
      waiting_->stop(milliseconds(0));
      waiting_->wait();
    } catch (const std::exception& error) {
      log_warn("executor", error.what());
    }
  }
  ContainerTerminal(const ContainerTerminal&) = delete;
  ContainerTerminal& operator=(const ContainerTerminal&) = delete;

  void open(const std::string& container, const std::string& script) {
    const std::string path = "/containers/" + percent_encode(container);
    await_start(api_, path);
    const Json wanted = {{"AttachStdin", true},
                         {"AttachStdout", true},
                         {"AttachStderr", true},
                         {"Tty", true},
                         {"Cmd", {"sh", script}}};
    const std::string made = api_.expect({"POST", path + "/exec", wanted.dump()}, "open a shell");
    exec_ = "/exec/" + percent_encode(parsed(made, "a shell").value("Id", ""));
    fd_ = take_over(api_, exec_);
  }

  int fd() const noexcept override { return fd_.get(); }
  void resize(std::uint16_t rows, std::uint16_t columns) noexcept override {
    const EngineCall call{"POST",
                          exec_ + "/resize?h=" + std::to_string(rows) + "&w=" + std::to_string(columns)};
    try {
      // Refused until it has begun, which nobody says.
      for (int left = kResizeTries; left > 0 && !api_.call(call).ok(); --left)
        ::poll(nullptr, 0, static_cast<int>(kBetweenLooks.count()));
    } catch (const std::exception& error) {
      log_warn("executor", std::string("a terminal keeps its size: ") + error.what());
    }
  }

 private:
  const EngineApi api_;
  std::unique_ptr<LogSink> sink_;
  std::unique_ptr<Step> waiting_;
  std::string exec_;
  UniqueFd fd_;
};

}  // namespace

StepSpec waiting_step(const StepId& id) {
  StepSpec step;
  step.id = id;
  step.argv = {"sh", "-c", "trap 'exit 0' TERM; while :; do sleep 1000 & wait $!; done"};
  return step;
}

std::unique_ptr<TerminalSession> open_container_terminal(const EngineApi& api, const std::string& container,
                                                         const std::string& script,
                                                         std::unique_ptr<LogSink> sink,
                                                         std::unique_ptr<Step> waiting) {
  auto terminal = std::make_unique<ContainerTerminal>(api, std::move(sink), std::move(waiting));
  terminal->open(container, script);
  return terminal;
}

}  // namespace runner::executors
