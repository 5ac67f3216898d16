#include "deployments/network_prober.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <memory>
#include <system_error>

#include "deployments/pause.h"
#include "deployments/program.h"
#include "runner/base/error.h"
#include "runner/base/fd.h"
#include "runner/base/http_transfer.h"

namespace runner::deployments {
namespace {

using std::chrono::milliseconds;

/// Exit code of a command that cannot say yet.
constexpr int kUnknown = 75;

std::string status_text(long status, int low, int high) {
  return "status " + std::to_string(status) + " is not within " + std::to_string(low) + "-" +
         std::to_string(high);
}

/// A refused connection is a failure, and so is an answer of another status; no answer in time is neither.
Look ask(const std::string& url, const std::string& host, int low, int high, milliseconds timeout,
         const std::stop_token& stop) {
  try {
    Patience patience({timeout, timeout, timeout}, stop);
    HttpRequest request;
    request.url = url;
    if (!host.empty()) request.fields.push_back("Host: " + host);
    HttpTransfer transfer(std::move(request), patience);
    const HttpHead head = transfer.head();
    if (head.status < low || head.status > high) return {Verdict::fail, status_text(head.status, low, high)};
    return {Verdict::pass, {}};
  } catch (const Error& error) {
    const bool unknown = error.code() == ErrorCode::timeout || error.code() == ErrorCode::cancelled;
    return {unknown ? Verdict::unknown : Verdict::fail, error.what()};
  }
}

struct FreeAddresses {
  void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};

Look connect_to(const Endpoint& at, milliseconds timeout, const std::stop_token& stop) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const std::string port = std::to_string(at.port);
  if (const int error = ::getaddrinfo(at.host.c_str(), port.c_str(), &hints, &found); error != 0)
    return {Verdict::unknown, at.host + ": " + ::gai_strerror(error)};
  const std::unique_ptr<addrinfo, FreeAddresses> addresses(found);
  const auto until = std::chrono::steady_clock::now() + timeout;
  Look last{Verdict::unknown, at.host + " has no address"};
  for (const addrinfo* one = addresses.get(); one != nullptr; one = one->ai_next) {
    const UniqueFd socket(
        ::socket(one->ai_family, one->ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, one->ai_protocol));
    if (!socket) continue;
    int error = ::connect(socket.get(), one->ai_addr, one->ai_addrlen) == 0 ? 0 : errno;
    if (error == EINPROGRESS) {
      if (!wait_for_fd(socket.get(), POLLOUT, until, stop)) return {Verdict::unknown, "no answer in time"};
      socklen_t size = sizeof error;
      if (::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    }
    if (error == 0) return {Verdict::pass, {}};
    last = {Verdict::fail, std::error_code(error, std::generic_category()).message()};
  }
  return last;
}

}  // namespace

Look NetworkProber::look(const Endpoint& at, const pipelines::ProbeSpec& probe, std::stop_token stop) {
  if (at.port == 0) return {Verdict::unknown, at.host + " has no port to ask; name one by health:http:port"};
  if (probe.kind == pipelines::ProbeKind::tcp) {
    try {
      return connect_to(at, probe.timeout, stop);
    } catch (const Error& error) {
      return {Verdict::unknown, error.what()};
    }
  }
  const std::string host = at.host.find(':') == std::string::npos ? at.host : "[" + at.host + "]";
  return ask("http://" + host + ":" + std::to_string(at.port) + probe.path, probe.host, probe.status_low,
             probe.status_high, probe.timeout, stop);
}

Look NetworkProber::fetch(const std::string& url, int status_low, int status_high, milliseconds timeout,
                          std::stop_token stop) {
  return ask(url, {}, status_low, status_high, timeout, stop);
}

Look NetworkProber::run(const std::string& script, const std::map<std::string, std::string>& env,
                        milliseconds timeout, const TellLine& tell, std::stop_token stop) {
  ProgramRequest request;
  request.argv = {"/bin/sh", "-ec", script};
  request.environment = env;
  request.directory = workspace_;
  request.timeout = timeout;
  request.on_output = request.on_errors = [&](std::string_view line) { tell("", line); };
  try {
    const ProgramEnd end = run_program(request, stop);
    if (end.timed_out) return {Verdict::unknown, "it took too long"};
    if (end.code == 0) return {Verdict::pass, {}};
    return {end.code == kUnknown ? Verdict::unknown : Verdict::fail, "exit code " + std::to_string(end.code)};
  } catch (const Error& error) {
    if (error.code() == ErrorCode::cancelled) return {Verdict::unknown, error.what()};
    throw;
  }
}

}  // namespace runner::deployments
