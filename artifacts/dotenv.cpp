#include <algorithm>
#include <unordered_map>

#include "artifacts/reports.h"
#include "runner/base/text.h"

namespace runner::artifacts {
namespace {

constexpr std::size_t kLargestFile = std::size_t{64} << 10U;
constexpr std::size_t kLongestName = 255;
constexpr std::size_t kMostVariables = 500;

bool is_name(std::string_view name) {
  return !name.empty() && name.size() <= kLongestName && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

}  // namespace

std::optional<std::vector<std::pair<std::string, std::string>>> parse_dotenv(std::string_view text,
                                                                             std::string& error) {
  std::vector<std::pair<std::string, std::string>> variables;
  if (text.size() > kLargestFile) {
    error = "it is larger than " + format_bytes(kLargestFile);
    return std::nullopt;
  }
  if (text.substr(0, 3) == "\xEF\xBB\xBF") text.remove_prefix(3);
  const std::string clean = to_utf8(text);
  std::vector<std::string_view> lines = split(clean, '\n');
  if (lines.back().empty()) lines.pop_back();  // behind the last line feed there is no line
  std::unordered_map<std::string_view, std::size_t> places;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const auto equals = lines[i].find('=');
    if (equals == std::string_view::npos) {
      error = "line " + std::to_string(i + 1) + " has no '='";
      return std::nullopt;
    }
    const std::string_view name = trim(lines[i].substr(0, equals));
    const std::string_view value = trim(lines[i].substr(equals + 1));
    if (!is_name(name)) {
      error = "invalid name on line " + std::to_string(i + 1);
      return std::nullopt;
    }
    const auto [place, is_new] = places.try_emplace(name, variables.size());
    if (is_new) {
      variables.emplace_back(name, value);
    } else {
      variables[place->second].second = value;
    }
  }
  if (variables.size() > kMostVariables) {
    error = "it has more than " + std::to_string(kMostVariables) + " variables";
    return std::nullopt;
  }
  return variables;
}

}  // namespace runner::artifacts
