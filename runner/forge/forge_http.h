#pragma once
// One question to the API of a forge, over http or https.

#include <chrono>
#include <cstddef>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace runner::forge {

struct ForgeRequest {
  std::string url;
  bool post = false;
  std::string body;                 // JSON
  std::vector<std::string> fields;  // "Name: value"; may hold a secret, and is never shown
};

struct ForgeAnswer {
  long status = 0;
  std::map<std::string, std::string> fields;  // names in lower case
  std::string body;                           // the beginning of a long one
  std::chrono::seconds retry_after{0};        // Retry-After in either form; 0 when it was not said
};

struct ForgeLimits {
  std::chrono::milliseconds connect{10'000};  // look-up of the name, all addresses, TLS
  std::chrono::milliseconds total{30'000};    // for the whole
  std::size_t body_bytes = 256U << 10U;       // more is not read
};

/// Redirects are answers like others: a secret goes where it was meant to go. Blocks until `limits` or
/// `stop`; connections are kept for the thread's next question. Any thread.
/// Throws Error: unavailable, timeout, cancelled; invalid_input for a certificate that is not trusted.
ForgeAnswer ask_forge(const ForgeRequest& request, const ForgeLimits& limits, const std::stop_token& stop);

}  // namespace runner::forge
