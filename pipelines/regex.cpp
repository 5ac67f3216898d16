#include "pipelines/regex.h"

#include <re2/re2.h>

#include <utility>

namespace runner::pipelines {
namespace {

/// RE2's complaint as a part of our sentence.
std::string explain(const re2::RE2& pattern) {
  const std::string part = "'" + pattern.error_arg() + "'";
  switch (pattern.error_code()) {
    case re2::RE2::ErrorBadEscape:
      return "the escape " + part + " is unknown (back-references do not exist in RE2)";
    case re2::RE2::ErrorBadCharClass:
      return "the character class " + part + " is unknown";
    case re2::RE2::ErrorBadCharRange:
      return "the character range " + part + " runs backwards";
    case re2::RE2::ErrorMissingBracket:
      return "a closing ']' is missing after " + part;
    case re2::RE2::ErrorMissingParen:
      return "a closing ')' is missing";
    case re2::RE2::ErrorUnexpectedParen:
      return "a ')' has no opening '('";
    case re2::RE2::ErrorTrailingBackslash:
      return "it ends with a lone backslash";
    case re2::RE2::ErrorRepeatArgument:
      return "there is nothing to repeat before " + part;
    case re2::RE2::ErrorRepeatSize:
      return "the repetition " + part + " is too large";
    case re2::RE2::ErrorRepeatOp:
      return "the repetition " + part + " follows another one";
    case re2::RE2::ErrorBadPerlOp:
      return "the group " + part + " does not exist in RE2 (no look-around)";
    case re2::RE2::ErrorBadUTF8:
      return "it is not valid UTF-8";
    case re2::RE2::ErrorBadNamedCapture:
      return "the group name in " + part + " is bad";
    case re2::RE2::ErrorPatternTooLarge:
      return "it is too large";
    default:
      return "it is not valid RE2 syntax";
  }
}

}  // namespace

struct Regex::Impl {
  explicit Impl(const std::string& pattern, const re2::RE2::Options& options) : re(pattern, options) {}
  re2::RE2 re;
};

Regex::Regex(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Regex::~Regex() = default;

std::shared_ptr<const Regex> Regex::compile(std::string_view pattern, std::string_view flags,
                                            std::string& error) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  std::string text;
  if (!flags.empty()) text.append("(?").append(flags).append(")");
  text.append(pattern);
  auto impl = std::make_unique<Impl>(text, options);
  if (!impl->re.ok()) {
    error = explain(impl->re);
    return nullptr;
  }
  return std::shared_ptr<const Regex>(new Regex(std::move(impl)));
}

bool Regex::found_in(std::string_view text) const {
  return re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), impl_->re);
}

bool split_slashed(std::string_view text, SlashedPattern& parts) noexcept {
  if (text.size() < 2 || text.front() != '/') return false;
  const std::size_t end = text.rfind('/');
  if (end == 0) return false;
  parts.pattern = text.substr(1, end - 1);
  parts.flags = text.substr(end + 1);
  return parts.flags.find_first_not_of("ismU") == std::string_view::npos;
}

const Regex* RegexCache::find(std::string_view text) {
  SlashedPattern parts;
  if (!split_slashed(text, parts)) return nullptr;
  const auto [place, added] = known_.try_emplace(std::string(text));
  if (added) {
    std::string error;  // what does not compile is used as plain text by the callers
    place->second = Regex::compile(parts.pattern, parts.flags, error);
  }
  return place->second.get();
}

}  // namespace runner::pipelines
