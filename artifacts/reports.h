#pragma once
// Reports a job leaves: junit, dotenv, coverage. Text in, values out; pure but for the size of the text.

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace runner::artifacts {

struct TestCase {
  enum class Result : std::uint8_t { passed, failed, errored, skipped } result = Result::passed;
  std::string suite, classname, name, file;
  double seconds = 0;
  std::string message;  // of a failure or error, shortened
};

struct TestReport {
  std::uint64_t total = 0, failed = 0, errored = 0, skipped = 0;
  double seconds = 0;
  std::vector<TestCase> cases;
};

/// Reads JUnit XML (testsuites/testsuite/testcase). On broken XML: nullopt, and `error` says where.
/// Entities beyond the five predefined and numeric ones are not expanded; no DTD, no external anything.
std::optional<TestReport> parse_junit(std::string_view xml, std::string& error);

/// NAME=value lines, exactly as the dialect has them: no quotes, comments, blank lines. On a bad line:
/// nullopt and `error` like "line 3 has no '='". Same key twice: the last one; order of first appearance.
std::optional<std::vector<std::pair<std::string, std::string>>> parse_dotenv(std::string_view text,
                                                                             std::string& error);

/// Watches a job log for the `coverage:` pattern: last line that matches, in it the last match, in that the
/// first number. Feed it the masked log as it grows; escape sequences are removed. One thread.
class CoverageScanner {
 public:
  /// `pattern` is RE2, without slashes, checked before; throws Error{invalid_input} all the same.
  explicit CoverageScanner(std::string_view pattern);
  ~CoverageScanner();
  CoverageScanner(const CoverageScanner&) = delete;
  CoverageScanner& operator=(const CoverageScanner&) = delete;
  void feed(std::string_view text);
  /// Percentage as written, nullopt when nothing matched.
  std::optional<double> result();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Line rate of a cobertura or jacoco report in percent; nullopt and `error` when it cannot be read.
std::optional<double> parse_coverage_report(std::string_view format, std::string_view xml,
                                            std::string& error);

}  // namespace runner::artifacts
