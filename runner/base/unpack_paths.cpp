#include "runner/base/unpack_paths.h"

#include <algorithm>

#include "runner/base/error.h"
#include "runner/base/text.h"
#include "runner/base/unpack_target.h"

namespace runner {
namespace {

[[noreturn]] void refuse(std::string_view path, std::string_view why) {
  throw Error(ErrorCode::invalid_input, "entry " + in_quotes_safely(path) + " " + std::string(why));
}

bool has_up_part(std::string_view path, char separator) {
  const auto parts = split(path, separator);
  return std::ranges::find(parts, "..") != parts.end();
}

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/// Paths that are harmless here and are not where the separator is another.
void refuse_foreign(std::string_view path) {
  const bool drive =
      path.size() > 2 && is_letter(path[0]) && path[1] == ':' && (path[2] == '\\' || path[2] == '/');
  if (drive || path.starts_with('\\')) refuse(path, "is an absolute path");
  std::string slashes(path);
  std::ranges::replace(slashes, '\\', '/');
  if (has_up_part(slashes, '/')) refuse(path, "leads out of the directory");
}

}  // namespace

std::string inner_path(std::string_view path, bool layer) {
  if (path.starts_with('/')) refuse(path, "is an absolute path");
  if (path.find('\0') != std::string_view::npos) refuse(path, "has a zero byte in its name");
  if (!layer) refuse_foreign(path);
  std::string inner;
  for (const std::string_view part : split(path, '/')) {
    if (part == "..") refuse(path, "leads out of the directory");
    if (part.empty() || part == ".") continue;
    if (!inner.empty()) inner += '/';
    inner += part;
  }
  return inner;
}

bool link_stays_inside(std::string_view path, std::string_view target) {
  if (target.empty() || target.starts_with('/')) return false;
  auto depth = std::ranges::count(path, '/');
  bool went_down = false;
  for (const std::string_view part : split(target, '/')) {
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      went_down = true;
      continue;
    }
    // Up from a name may be anywhere: the name may be a link itself. Up from here is a directory of ours.
    if (went_down || depth-- == 0) return false;
  }
  return true;
}

std::string_view parent_of(std::string_view path) noexcept {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(0, slash);
}

std::string_view name_of(std::string_view path) noexcept {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string UnpackedPaths::key_of(std::string_view path) const {
  return cases_differ_ ? std::string(path) : to_lower(path);
}

UnpackedPaths::Node& UnpackedPaths::insert(std::string_view path, Kind kind) {
  const auto [found, is_new] = nodes_.try_emplace(key_of(path), Node{std::string(path), kind});
  Node& node = found->second;
  if (node.path != path)
    refuse(path, "differs from " + in_quotes_safely(node.path) + " in upper and lower case only");
  if (is_new) {
    bytes_ += path.size();
    if (bytes_ > most_)
      refuse(path, "is too much: the paths of the archive take more than " + format_bytes(most_));
    return node;
  }
  const bool node_is_directory = node.kind == Kind::implied_directory || node.kind == Kind::directory;
  if (kind == Kind::implied_directory) {
    if (node.kind == Kind::link) refuse(path, "is a symbolic link of the archive, and others lie below it");
    if (!node_is_directory) refuse(path, "is no directory, and others lie below it");
  } else if (node.kind == Kind::implied_directory && kind == Kind::directory) {
    node.kind = kind;
  } else if (node_is_directory && kind != Kind::directory) {
    refuse(path, "is a directory of the archive and something else too");
  } else {
    refuse(path, "is twice in the archive");
  }
  return node;
}

void UnpackedPaths::add(const std::string& path, Kind kind) {
  // The parents first, from the longest known one on: then an archive in order looks at one.
  for (auto slash = path.rfind('/'); slash != std::string::npos && slash > 0;
       slash = path.rfind('/', slash - 1)) {
    const std::string_view parent = std::string_view(path).substr(0, slash);
    const bool known = nodes_.contains(key_of(parent));
    insert(parent, Kind::implied_directory);
    if (known) break;
  }
  insert(path, kind);
}

bool UnpackedPaths::is_file(const std::string& path) const {
  const auto found = nodes_.find(key_of(path));
  return found != nodes_.end() && found->second.path == path && found->second.kind == Kind::file;
}

}  // namespace runner
