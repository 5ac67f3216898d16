#pragma once
// What all commands that talk to a server work with. Main thread only.

#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runner/base/clock.h"
#include "runner/cli/api_client.h"
#include "runner/cli/client_answers.h"
#include "runner/cli/client_times.h"
#include "runner/cli/client_types.h"
#include "runner/cli/screen.h"

namespace runner::cli {

/// The server said no. run() prints it and ends with the code.
class Refused : public std::exception {
 public:
  Refused(int exit_code, std::string message, std::string help, bool may_pass = false)
      : exit_code_(exit_code), may_pass_(may_pass), message_(std::move(message)), help_(std::move(help)) {}
  int exit_code() const noexcept { return exit_code_; }
  const char* what() const noexcept override { return message_.c_str(); }
  const std::string& help() const noexcept { return help_; }
  /// The same request may succeed later.
  bool may_pass() const noexcept { return may_pass_; }

 private:
  int exit_code_;
  bool may_pass_;
  std::string message_, help_;
};

/// The problem that an answer tells of (RFC 9457), with what to do about it and the exit code: 1 refused, 2
/// a value is wrong, 3 no right, or the server's own trouble.
Refused refusal_of(const ApiResponse& answer, const ApiEndpoint& endpoint);

/// What was thrown is a server that is not there or not able just now, as when it is restarted.
bool may_pass(const std::exception& thrown);

class ClientDesk {
 public:
  /// Throws Error when the server cannot be named; it is not asked yet.
  explicit ClientDesk(const ClientCommon& common);

  /// The body of a successful answer. Throws Refused for any other, Error when none comes.
  std::string ask(std::string_view method, std::string_view path, std::string_view json = {});
  /// Pages of a list, one after another, until `take` has enough or there are no more. `path` may have a
  /// query. Throws Error{corrupt} for a list of more than `most` pages: it may have no end.
  void each_page(std::string path, const std::function<bool(const std::string& page)>& take,
                 std::size_t most = 1'000);
  /// All items as one JSON array, or as many as `limit`.
  std::string all_items(const std::string& path, std::size_t limit);

  ApiClient& client() { return client_; }
  const ClientCommon& common() const { return common_; }
  const Screen& screen() const { return screen_; }
  const Clock& clock() const { return clock_; }

 private:
  ClientCommon common_;
  const SystemClock clock_;
  Screen screen_;
  ApiClient client_;
};

// Texts. All of them are safe on a terminal.
/// A state in its colour.
std::string status_text(const Screen& screen, std::string_view status);
/// To standard output.
void say(std::string_view text);

}  // namespace runner::cli
