#ifndef SEMVER_SEMVER_H
#define SEMVER_SEMVER_H
// Semantic versions (semver.org, 2.0.0): read, write, compare.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace semver {

struct Version {
  std::uint64_t major = 0;
  std::uint64_t minor = 0;
  std::uint64_t patch = 0;
  std::vector<std::string> prerelease;  // "rc", "1"
  std::string build;                    // does not count when comparing
};

/// nullopt when `text` is no version by the standard: "1.2", "01.2.3", "1.2.3-" ...
std::optional<Version> parse(std::string_view text);

std::string to_string(const Version& version);

/// Negative, zero or positive, as strcmp.
int compare(const Version& a, const Version& b);

}  // namespace semver

#endif
