#include "builds/build_log.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "runner/base/files.h"
#include "runner/base/text.h"

namespace runner::builds {
namespace {

constexpr std::size_t kLongest = 1000;
// In lower case, of Docker, BuildKit, Podman and what Go says of connections.
constexpr std::string_view kPassing[] = {"toomanyrequests",
                                         "too many requests",
                                         "status: 429",
                                         "status code 429",
                                         "received unexpected http status: 5",
                                         "unexpected status code 5",
                                         "unexpected status: 5",
                                         "internal server error",
                                         "bad gateway",
                                         "service unavailable",
                                         "gateway timeout",
                                         "connection reset",
                                         "connection refused",
                                         "broken pipe",
                                         "unexpected eof",
                                         "i/o timeout",
                                         "tls handshake timeout",
                                         "timeout exceeded",
                                         "deadline exceeded",
                                         "no such host",
                                         "network is unreachable",
                                         "no route to host",
                                         "temporary failure in name resolution",
                                         "server misbehaving",
                                         "error during connect",
                                         "cannot connect to the docker daemon",
                                         "no space left on device",
                                         "closing transport",
                                         "transport is closing",
                                         "use of closed network connection",
                                         "500 internal",
                                         "502 ",
                                         "503 ",
                                         "504 ",
                                         ": eof"};
// An instruction ran and failed, whatever it printed.
constexpr std::string_view kRan[] = {"executor failed running", "did not complete successfully",
                                     "while running runtime", "exit status", "exit code:"};

}  // namespace

void say(std::string_view line) {
  write_all(STDOUT_FILENO, std::string(line) + "\n");
}

std::string harmless(std::string_view text) {
  std::string shown = strip_ansi(to_utf8(trim(text.substr(0, kLongest))));
  std::replace_if(
      shown.begin(), shown.end(), [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7F; },
      ' ');
  return shown;
}

bool goes_away(std::string_view words) {
  const std::string lower = to_lower(words);
  const auto has = [&](std::string_view part) { return lower.find(part) != std::string::npos; };
  return std::none_of(std::begin(kRan), std::end(kRan), has) &&
         std::any_of(std::begin(kPassing), std::end(kPassing), has);
}

}  // namespace runner::builds
