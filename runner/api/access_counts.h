#pragma once
// How often who was let in, and what was refused. Any thread; counting does not block.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "runner/storage/rights.h"

namespace runner::api {

/// How a caller proves who it is. `none`: it shows nothing where something is needed.
enum class AuthMethod : std::uint8_t { token, socket, webhook, none };
/// `limited`: refused because of those before it.
enum class AuthResult : std::uint8_t { success, failure, limited };

inline constexpr std::array kAuthMethods{AuthMethod::token, AuthMethod::socket, AuthMethod::webhook,
                                         AuthMethod::none};
inline constexpr std::array kAuthResults{AuthResult::success, AuthResult::failure, AuthResult::limited};

/// The enumerator's name.
std::string_view to_string(AuthMethod method) noexcept;
std::string_view to_string(AuthResult result) noexcept;

class AccessCounts {
 public:
  void attempt(AuthMethod method, AuthResult result) noexcept {
    ++attempts_.at(index(method)).at(index(result));
  }
  /// Somebody who is known lacked this permission.
  void denied(storage::Permission needed) noexcept { ++denials_.at(index(needed)); }
  std::uint64_t attempts(AuthMethod method, AuthResult result) const noexcept {
    return attempts_.at(index(method)).at(index(result));
  }
  std::uint64_t denials(storage::Permission needed) const noexcept { return denials_.at(index(needed)); }

 private:
  template <typename Enum>
  static std::size_t index(Enum value) noexcept {
    return static_cast<std::size_t>(value);
  }
  std::array<std::array<std::atomic<std::uint64_t>, kAuthResults.size()>, kAuthMethods.size()> attempts_{};
  std::array<std::atomic<std::uint64_t>, storage::kPermissions.size()> denials_{};
};

}  // namespace runner::api
