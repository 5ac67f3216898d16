#pragma once
// What a RegistryClient is told when it is made.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "runner/base/clock.h"
#include "runner/base/patience.h"

namespace runner::registry {

/// Of one operation, counted from its begin or from what it last got done.
struct RetryLimits {
  int attempts = 6;
  std::chrono::milliseconds first{500};       // to wait after the first failure
  std::chrono::milliseconds longest{30'000};  // to wait, unless the server asks for more
  std::chrono::milliseconds total{300'000};   // a wait that would end later is not begun
};

struct ClientOptions {
  /// "host" or "host:port" as in names of images, that the administrator names: any certificate will do, and
  /// what speaks no TLS is asked in the clear. The same goes for localhost, 127.0.0.0/8 and [::1], unless
  /// they are named below.
  std::vector<std::string> insecure;
  /// By host: PEM file of the only authorities that may have signed its certificate.
  std::map<std::string, std::filesystem::path> authorities;
  Waits waits{};  // of one request
  RetryLimits retries{};
  std::uint64_t manifest_bytes = 4U << 20U;  // of a manifest, as the specification has it; of a page of tags
  std::uint64_t blob_bytes = 64ULL << 30U;   // of a blob whose size is not known
  std::uint64_t chunk_bytes = 16U << 20U;    // of an upload; what is smaller goes in one request
  std::size_t tags = 100'000;                // of one repository

  /// For tests; empty: those of the system. `sleep` returns when it is over, or when it is to stop.
  const Clock* clock = nullptr;
  std::function<void(std::chrono::milliseconds, const std::stop_token&)> sleep;
  std::function<double()> chance;  // 0 to 1
};

}  // namespace runner::registry
