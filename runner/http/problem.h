#pragma once
// Errors as answers: problem details (RFC 9457), application/problem+json. Pure; any thread.

#include <chrono>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runner/base/error.h"
#include "runner/http/message.h"

namespace runner::http {

struct Problem {
  int status = 500;
  std::string title = {};  // default: the reason phrase of the status
  std::string detail = {};
  std::string type = "about:blank";  // a URI that names the kind of problem
  /// More members: a name and its value as JSON text (see json_text). Those of RFC 9457 keep their meaning:
  /// one of their names is left out.
  std::vector<std::pair<std::string, std::string>> members = {};
};

/// A text as JSON, in quotes; what is no UTF-8 is replaced.
std::string json_text(std::string_view text);

/// {"type", "title", "status", "detail", "instance": the id of the request, members...}
Response problem_response(const Request& request, const Problem& problem);

/// What a client is told of an Error: invalid_input 400, not_found 404, conflict 409 with its text;
/// unavailable and cancelled 503 with Retry-After, timeout 504, corrupt and internal 500 without, as the text
/// may tell of the machine's insides. So does that of a failed system call, which is 500 whatever its code,
/// if not 503 or 504. The caller logs the text.
Response problem_of(const Request& request, const Error& error,
                    std::chrono::seconds retry_after = std::chrono::seconds(5));

}  // namespace runner::http
