#pragma once
// How machinery fails: one exception type with a code and a chain of contexts.
//
// Diagnostics for what a user wrote are values (pipelines/diagnostic.h); outcomes one expects are values too.
// Error is for the rest, and is caught at four places only: thread entry, HTTP dispatcher, CLI main, engine
// step. Any thread.

#include <cstdint>
#include <exception>
#include <string>
#include <string_view>
#include <system_error>

namespace runner {

enum class ErrorCode : std::uint8_t {
  invalid_input,
  not_found,
  conflict,
  unavailable,
  timeout,
  cancelled,
  corrupt,
  internal,
};

/// The stable text of a code, such as "not_found"; used in the API and in logs.
std::string_view to_string(ErrorCode code) noexcept;

/// A failure of the machinery. what() reads outermost context first:
/// "while restoring cache 'npm': cannot open '/x': No such file or directory".
class Error : public std::exception {
 public:
  Error(ErrorCode code, std::string message);
  /// For failed system calls: keeps the error_code, so that a caller can ask for it without parsing text.
  Error(std::error_code system, std::string message);

  ErrorCode code() const noexcept { return code_; }
  std::error_code system() const noexcept { return system_; }
  const char* what() const noexcept override { return message_.c_str(); }

  /// Puts "<context>: " in front of the message. Use: catch (Error& e) { e.add_context("..."); throw; }
  void add_context(std::string_view context);

 private:
  ErrorCode code_;
  std::error_code system_;
  std::string message_;
};

/// Throws Error for the current errno: "<what>: <text of errno>". Codes: ENOENT not_found, EEXIST conflict,
/// ENOSPC/EDQUOT/EMFILE/ENFILE/ENOMEM/EAGAIN unavailable, ETIMEDOUT timeout, anything else internal.
[[noreturn]] void throw_errno(std::string_view what);
/// The same for an errno value saved earlier.
[[noreturn]] void throw_errno(int saved_errno, std::string_view what);

}  // namespace runner
