#pragma once
// Which paths of an archive may be written, and where. Pure. Internal to unpacking.

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>

namespace runner {

/// `path` without "." parts, doubled and trailing slashes; "" is the directory itself. Throws
/// Error{invalid_input} when it is absolute, goes up, or (unless `layer`) means such a thing elsewhere.
std::string inner_path(std::string_view path, bool layer);

/// Whether the symbolic link `path` (an inner path) leads below the top wherever its target goes through
/// other such links.
bool link_stays_inside(std::string_view path, std::string_view target);

std::string_view parent_of(std::string_view path) noexcept;
std::string_view name_of(std::string_view path) noexcept;

/// What the archive brought so far.
class UnpackedPaths {
 public:
  enum class Kind : std::uint8_t { implied_directory, directory, file, link, other };

  /// `most`: bytes that all paths together may take.
  UnpackedPaths(bool cases_differ, std::uint64_t most) noexcept : cases_differ_(cases_differ), most_(most) {}

  /// Takes note of `path` and the directories above it. Throws Error{invalid_input} when it was there, when
  /// something above it is no directory, or when two names differ in case only.
  void add(const std::string& path, Kind kind);
  bool is_file(const std::string& path) const;

 private:
  struct Node {
    std::string path;
    Kind kind;
  };
  std::string key_of(std::string_view path) const;
  Node& insert(std::string_view path, Kind kind);

  bool cases_differ_;
  std::uint64_t most_;
  std::uint64_t bytes_ = 0;
  std::unordered_map<std::string, Node> nodes_;
};

}  // namespace runner
