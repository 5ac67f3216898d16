#include "runner/git/index_trees.h"

#include <algorithm>
#include <cstring>

#include "runner/base/text.h"

namespace runner::git {
namespace {

constexpr int kDeepest = 2000;  // a path has at most 4096 bytes

}  // namespace

bool IndexTrees::read(std::string_view bytes) {
  std::string name;
  root_ = Directory();
  const bool good = read_one(bytes, name, root_, 0) && name.empty() && bytes.empty();
  if (!good) root_ = Directory();
  return good;
}

// NAME NUL ENTRIES " " CHILDREN "\n" ID, then the children.
bool IndexTrees::read_one(std::string_view& bytes, std::string& name, Directory& directory, int depth) {
  const std::size_t nul = bytes.find('\0');
  if (nul == std::string_view::npos || depth > kDeepest) return false;
  name = bytes.substr(0, nul);
  bytes.remove_prefix(nul + 1);
  const std::size_t blank = bytes.find(' '), end = bytes.find('\n');
  if (blank == std::string_view::npos || end == std::string_view::npos || blank > end) return false;
  const auto entries = parse_integer(bytes.substr(0, blank));
  const auto children = parse_integer(bytes.substr(blank + 1, end - blank - 1));
  bytes.remove_prefix(end + 1);
  if (!entries || !children || *entries < 0 || bytes.size() < directory.id.bytes.size()) return false;
  directory.entries = *entries;
  std::memcpy(directory.id.bytes.data(), bytes.data(), directory.id.bytes.size());
  bytes.remove_prefix(directory.id.bytes.size());
  for (std::int64_t i = 0; i < *children; ++i) {
    auto child = std::make_unique<Directory>();
    std::string child_name;
    if (!read_one(bytes, child_name, *child, depth + 1)) return false;
    directory.children.emplace_hint(directory.children.end(), std::move(child_name), std::move(child));
  }
  return true;
}

std::string IndexTrees::written() const {
  std::string out;
  write_one(out, "", root_);
  return out;
}

void IndexTrees::write_one(std::string& out, std::string_view name, const Directory& directory) {
  out.append(name).push_back('\0');
  out.append(std::to_string(directory.entries)).append(" ");
  out.append(std::to_string(directory.children.size())).append("\n");
  out.append(reinterpret_cast<const char*>(directory.id.bytes.data()), directory.id.bytes.size());
  for (const auto& [child_name, child] : directory.children) write_one(out, child_name, *child);
}

IndexTrees::Directory* IndexTrees::find(std::string_view directory, bool make) {
  Directory* at = &root_;
  while (!directory.empty()) {
    const std::size_t slash = std::min(directory.find('/'), directory.size());
    const std::string_view name = directory.substr(0, slash);
    auto child = at->children.find(name);
    if (child == at->children.end()) {
      if (!make) return nullptr;
      child = at->children.emplace(std::string(name), std::make_unique<Directory>()).first;
    }
    at = child->second.get();
    directory.remove_prefix(std::min(slash + 1, directory.size()));
  }
  return at;
}

void IndexTrees::set(std::string_view directory, const ObjectId& id) {
  find(directory, true)->id = id;
}

void IndexTrees::remove(std::string_view directory) {
  const std::size_t slash = directory.rfind('/');
  const bool top = slash == std::string_view::npos;
  Directory* parent = find(top ? std::string_view() : directory.substr(0, slash), false);
  if (parent == nullptr) return;
  const auto child = parent->children.find(top ? directory : directory.substr(slash + 1));
  if (child != parent->children.end()) parent->children.erase(child);
}

void IndexTrees::count(std::string_view path, std::int64_t more) {
  Directory* at = &root_;
  at->entries += more;
  for (std::size_t slash = path.find('/'); slash != std::string_view::npos; slash = path.find('/')) {
    const auto child = at->children.find(path.substr(0, slash));
    if (child == at->children.end()) return;
    at = child->second.get();
    at->entries += more;
    path.remove_prefix(slash + 1);
  }
}

}  // namespace runner::git
