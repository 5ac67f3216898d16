#pragma once
// The log of a job on a server, as it is shown. Main thread only.

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "runner/cli/client_desk.h"
#include "runner/cli/event_stream.h"

namespace runner::cli {

/// The whole log so far, raw, piece by piece. Throws Refused or Error.
void fetch_log(ClientDesk& desk, std::int64_t job, const std::function<void(std::string_view)>& write);

/// The log until the job has ended, over as many connections as it takes. Every byte is handed out once:
/// what a new connection sends again is left out. Gives up when the server was not there for a minute.
class LogFollower {
 public:
  using Write = std::function<bool(std::string_view)>;

  /// `write` returns false when nobody reads any more: then run() returns early.
  LogFollower(ClientDesk& desk, std::int64_t job, Write write);

  /// The status the job ended with; "" when `write` wanted no more. Throws Refused or Error.
  std::string run();

 private:
  bool take(const ServerEvent& event);
  bool take_text(const ServerEvent& event);
  bool connect();
  void wait_before(SteadyPoint give_up);

  ClientDesk& desk_;
  const std::int64_t job_;
  Write write_;
  EventStream events_;
  std::string status_;
  std::int64_t seen_ = 0;  // bytes of the log that were handed out
  std::size_t failures_ = 0;
  bool ended_ = false, unwanted_ = false;
};

}  // namespace runner::cli
