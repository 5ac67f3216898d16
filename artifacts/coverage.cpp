#include <re2/re2.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "artifacts/reports.h"
#include "artifacts/xml_reader.h"
#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::artifacts {
namespace {

// A log without line ends must not be kept in memory, and a pattern that matches everywhere must not cost the
// square of the line.
constexpr std::size_t kLongestLine = std::size_t{16} << 10U;
constexpr int kMostMatchesInALine = 1000;

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

/// The first number in the text: digits, then a point and digits if there are any.
std::optional<double> first_number(std::string_view text) {
  const auto start = std::find_if(text.begin(), text.end(), is_digit);
  auto end = std::find_if_not(start, text.end(), is_digit);
  if (start == end) return std::nullopt;
  if (end != text.end() && *end == '.' && end + 1 != text.end() && is_digit(end[1])) {
    end = std::find_if_not(end + 1, text.end(), is_digit);
  }
  const std::string number(start, end);
  double value = 0;
  const auto [parsed_to, failure] =
      std::from_chars(number.data(), number.data() + number.size(), value, std::chars_format::fixed);
  if (failure != std::errc() || parsed_to != number.data() + number.size()) return std::nullopt;
  return value;
}

std::optional<double> read_cobertura(std::string_view xml, std::string& error) {
  bool at_root = true;
  bool right = false;
  std::optional<double> percent;
  XmlEvents events;
  events.start = [&](std::string_view name, const XmlAttributes& attributes) {
    if (!std::exchange(at_root, false)) return;
    right = name == "coverage";
    if (const auto rate = parse_decimal(attributes.text("line-rate"))) percent = *rate * 100;
  };
  if (!read_xml(xml, events, error)) return std::nullopt;
  if (!right) {
    error = "it is no cobertura report: the root element is not 'coverage'";
  } else if (!percent) {
    error = "the root element has no 'line-rate'";
  }
  return right ? percent : std::nullopt;
}

std::optional<double> read_jacoco(std::string_view xml, std::string& error) {
  int depth = 0;
  bool right = false;
  std::optional<double> percent;
  XmlEvents events;
  events.start = [&](std::string_view name, const XmlAttributes& attributes) {
    ++depth;
    if (depth == 1) right = name == "report";
    // Only directly below the root is it the sum of all.
    if (depth != 2 || name != "counter" || attributes.text("type") != "LINE") return;
    const auto missed = parse_decimal(attributes.text("missed"));
    const auto covered = parse_decimal(attributes.text("covered"));
    if (missed && covered && *missed + *covered > 0) percent = 100 * *covered / (*missed + *covered);
  };
  events.end = [&](std::string_view) { --depth; };
  if (!read_xml(xml, events, error)) return std::nullopt;
  if (!right) {
    error = "it is no jacoco report: the root element is not 'report'";
  } else if (!percent) {
    error = "it has no counter of lines";
  }
  return right ? percent : std::nullopt;
}

}  // namespace

struct CoverageScanner::Impl {
  RE2 pattern;
  std::string line;  // what came since the last line feed
  std::optional<double> last;

  explicit Impl(std::string_view text) : pattern(re2::StringPiece(text.data(), text.size()), RE2::Quiet) {
    if (!pattern.ok()) throw Error(ErrorCode::invalid_input, "invalid coverage pattern: " + pattern.error());
  }

  void scan() {
    const std::string plain = strip_ansi(line);
    line.clear();
    std::optional<double> found;
    const re2::StringPiece text(plain);
    re2::StringPiece match;
    std::size_t at = 0;
    for (int i = 0; i < kMostMatchesInALine && at <= text.size(); ++i) {
      if (!pattern.Match(text, at, text.size(), RE2::UNANCHORED, &match, 1)) break;
      const auto start = static_cast<std::size_t>(match.data() - text.data());
      // The empty match that `.*` has at the end of a line says nothing.
      if (!match.empty()) found = first_number(std::string_view(match.data(), match.size()));
      at = start + std::max<std::size_t>(match.size(), 1);
    }
    if (found) last = found;
  }
};

CoverageScanner::CoverageScanner(std::string_view pattern) : impl_(std::make_unique<Impl>(pattern)) {}
CoverageScanner::~CoverageScanner() = default;

void CoverageScanner::feed(std::string_view text) {
  while (!text.empty()) {
    const auto end = text.find('\n');
    const std::string_view part = text.substr(0, end);
    const std::size_t room = kLongestLine - impl_->line.size();
    impl_->line += part.substr(0, room);
    if (part.size() >= room) {
      impl_->scan();
      text.remove_prefix(room);
      continue;
    }
    if (end == std::string_view::npos) return;
    impl_->scan();
    text.remove_prefix(end + 1);
  }
}

std::optional<double> CoverageScanner::result() {
  if (!impl_->line.empty()) impl_->scan();
  return impl_->last;
}

std::optional<double> parse_coverage_report(std::string_view format, std::string_view xml,
                                            std::string& error) {
  if (format == "cobertura") return read_cobertura(xml, error);
  if (format == "jacoco") return read_jacoco(xml, error);
  error = "unknown coverage format '" + std::string(format) + "'; known are cobertura and jacoco";
  return std::nullopt;
}

}  // namespace runner::artifacts
