#pragma once
// What handlers share. Internal to this folder. Any thread.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "runner/api/access_counts.h"
#include "runner/api/api.h"
#include "runner/api/followers.h"
#include "runner/base/synchronized.h"
#include "runner/http/rate_limit.h"
#include "runner/storage/access_table.h"
#include "runner/storage/records.h"
#include "runner/storage/rights.h"

namespace runner::api {

// A minute of failures, and of webhooks of one project.
inline constexpr http::RateLimit kFailureLimit{.per_second = 20.0 / 60, .burst = 20};
inline constexpr std::chrono::seconds kFailurePause{3};  // for one more of them
inline constexpr http::RateLimit kDeliveryLimit{.per_second = 1, .burst = 60};
inline constexpr std::size_t kLimitedKeys = 10'000;
// Of refusals that are written down, by person, and of bad tokens in all: more of them are only counted.
inline constexpr http::RateLimit kWrittenLimit{.per_second = 1, .burst = 60};

struct Context {
  explicit Context(ApiParts given) : parts(std::move(given)) {}

  ApiParts parts;
  Synchronized<http::RateLimiter> failures{kFailureLimit, kLimitedKeys};     // of tokens and signatures
  Synchronized<http::RateLimiter> deliveries{kDeliveryLimit, kLimitedKeys};  // by project
  Synchronized<http::RateLimiter> written{kWrittenLimit, kLimitedKeys};      // of refusals
  AccessCounts counts;
  Followers followers;  // the last: its thread uses these
};

/// Who asks.
struct Caller {
  std::string name;
  storage::Role role = storage::Role::none;
  storage::Rights rights = {};
  std::optional<std::int64_t> user;  // nullopt: at the unix socket, by the kernel's word
  std::optional<std::int64_t> token = {};
  /// The role that this token of a user without one is limited to; none: it is not.
  storage::Role limit = storage::Role::none;
  std::string source = {};   // the address they come from; "" at the socket
  std::string request = {};  // its id
};

struct Call {
  const http::Request& request;
  Caller caller;  // without a name where no token is needed
};

using Handle = http::Response (*)(Context&, const Call&);

/// Where the log of an attempt is, or will be.
std::filesystem::path log_path(const Context& context, const storage::JobRecord& job);
/// Of "{id}"; what is no number is the id of nothing. Throws Refusal (404); `what` is "job".
std::int64_t id_of(const Call& call, const std::string& what);

}  // namespace runner::api
