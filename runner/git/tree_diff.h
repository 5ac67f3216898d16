#pragma once
// What differs between two trees of a repository, entry by entry. Internal to this folder; the thread of the
// repository handle.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

struct git_oid;
struct git_repository;

namespace runner::git {

/// A SHA-1 as git stores it.
struct ObjectId {
  std::array<unsigned char, 20> bytes{};
  friend bool operator==(const ObjectId&, const ObjectId&) = default;
};
ObjectId to_id(const git_oid& oid);
git_oid to_oid(const ObjectId& id);
/// 40 hex digits; throws Error{invalid_input}.
ObjectId parse_id(std::string_view hex);
std::string to_hex(const ObjectId& id);

/// What a tree says of an entry.
enum class Node : std::uint8_t { none, file, executable, link, directory, submodule };
constexpr bool is_file(Node node) noexcept {
  return node == Node::file || node == Node::executable || node == Node::link;
}

/// One path that is not the same. Directories: a new one comes before its content, one that is in both comes
/// when something below it differs, one that is gone comes alone.
struct TreeChange {
  std::string path;
  Node before = Node::none, after = Node::none;
  ObjectId old_id, id;  // of what was and what is
};

/// Throws Error{corrupt} when a tree cannot be read, and Error{invalid_input} when it has a name that no
/// checkout may write: ".git" in any spelling that some file system takes for it, ".", "..", a slash, the
/// same name twice. An empty id is a tree without entries.
std::vector<TreeChange> diff_trees(git_repository* repository, const ObjectId& before, const ObjectId& after);

/// Names in a tree, sorted.
std::vector<std::string> names_of_tree(git_repository* repository, const ObjectId& tree);

/// The tree of a commit. Throws Error.
ObjectId tree_of_commit(git_repository* repository, std::string_view commit);

}  // namespace runner::git
