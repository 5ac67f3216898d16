#include "runner/git/tree_diff.h"

#include <git2.h>

#include <algorithm>
#include <cstring>

#include "runner/base/error.h"
#include "runner/base/text.h"
#include "runner/git/git_handles.h"

namespace runner::git {
namespace {

struct Entry {
  std::string name;
  Node node = Node::none;
  ObjectId id;
};

Node node_of(git_filemode_t mode) {
  switch (mode) {
    case GIT_FILEMODE_TREE:
      return Node::directory;
    case GIT_FILEMODE_BLOB_EXECUTABLE:
      return Node::executable;
    case GIT_FILEMODE_LINK:
      return Node::link;
    case GIT_FILEMODE_COMMIT:
      return Node::submodule;
    default:
      return Node::file;
  }
}

/// ".git" where letters have no case and where a short name and trailing dots and blanks mean the same.
bool names_git_directory(std::string_view name) {
  const std::string lower = to_lower(name);
  for (const std::string_view form : {std::string_view(".git"), std::string_view("git~1")}) {
    if (!lower.starts_with(form)) continue;
    const std::size_t rest = lower.find_first_not_of(" .", form.size());
    if (rest == std::string::npos || lower[rest] == '\\' || lower[rest] == ':') return true;
  }
  return false;
}

void check_name(std::string_view name, const std::string& directory) {
  const bool bad = name.empty() || name == "." || name == ".." || name.find('/') != std::string_view::npos ||
                   names_git_directory(name);
  if (!bad) return;
  throw Error(ErrorCode::invalid_input, "the commit has an entry " + in_quotes(to_utf8(name)) +
                                            " in directory " + in_quotes(to_utf8(directory)) +
                                            ", which no checkout may write");
}

std::vector<Entry> entries_of(git_repository* repository, const ObjectId& id, const std::string& directory) {
  std::vector<Entry> entries;
  if (id == ObjectId{}) return entries;
  const git_oid oid = to_oid(id);
  Handle<git_tree> tree;
  if (git_tree_lookup(Out(tree), repository, &oid) != 0)
    throw Error(ErrorCode::corrupt, "cannot read tree " + to_hex(id) + ": " + last_message());
  const std::size_t count = git_tree_entrycount(tree.get());
  entries.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    const git_tree_entry* entry = git_tree_entry_byindex(tree.get(), i);
    entries.push_back({git_tree_entry_name(entry), node_of(git_tree_entry_filemode(entry)),
                       to_id(*git_tree_entry_id(entry))});
    check_name(entries.back().name, directory);
  }
  const auto by_name = [](const Entry& one, const Entry& other) { return one.name < other.name; };
  if (!std::is_sorted(entries.begin(), entries.end(), by_name))
    std::sort(entries.begin(), entries.end(), by_name);
  const auto twice =
      std::adjacent_find(entries.begin(), entries.end(),
                         [](const Entry& one, const Entry& other) { return one.name == other.name; });
  if (twice != entries.end()) {
    throw Error(ErrorCode::invalid_input, "the commit has " + in_quotes(to_utf8(twice->name)) +
                                              " twice in directory " + in_quotes(to_utf8(directory)));
  }
  return entries;
}

class Differ {
 public:
  explicit Differ(git_repository* repository) : repository_(repository) {}

  void compare(const ObjectId& before, const ObjectId& after, const std::string& prefix) {
    const std::vector<Entry> old_entries = entries_of(repository_, before, prefix);
    const std::vector<Entry> new_entries = entries_of(repository_, after, prefix);
    auto old_one = old_entries.begin();
    auto new_one = new_entries.begin();
    const Entry none;
    while (old_one != old_entries.end() || new_one != new_entries.end()) {
      const int order = old_one == old_entries.end()   ? 1
                        : new_one == new_entries.end() ? -1
                                                       : old_one->name.compare(new_one->name);
      const Entry& was = order <= 0 ? *old_one : none;
      const Entry& is = order >= 0 ? *new_one : none;
      add(was, is, prefix + (order <= 0 ? was.name : is.name));
      if (order <= 0) ++old_one;
      if (order >= 0) ++new_one;
    }
  }

  std::vector<TreeChange> take() { return std::move(changes_); }

 private:
  void add(const Entry& was, const Entry& is, const std::string& path) {
    if (was.node == is.node && was.id == is.id) return;
    changes_.push_back({path, was.node, is.node, was.id, is.id});
    if (is.node != Node::directory) return;
    compare(was.node == Node::directory ? was.id : ObjectId{}, is.id, path + "/");
  }

  git_repository* repository_;
  std::vector<TreeChange> changes_;
};

}  // namespace

ObjectId to_id(const git_oid& oid) {
  ObjectId id;
  std::memcpy(id.bytes.data(), oid.id, id.bytes.size());
  return id;
}

git_oid to_oid(const ObjectId& id) {
  git_oid oid;
  std::memcpy(oid.id, id.bytes.data(), id.bytes.size());
  return oid;
}

ObjectId parse_id(std::string_view hex) {
  git_oid oid;
  if (hex.size() != GIT_OID_HEXSZ || git_oid_fromstrn(&oid, hex.data(), hex.size()) != 0)
    throw Error(ErrorCode::invalid_input, in_quotes(hex) + " is no commit id");
  return to_id(oid);
}

std::string to_hex(const ObjectId& id) {
  const git_oid oid = to_oid(id);
  std::string hex(GIT_OID_HEXSZ, '\0');
  git_oid_fmt(hex.data(), &oid);
  return hex;
}

std::vector<TreeChange> diff_trees(git_repository* repository, const ObjectId& before,
                                   const ObjectId& after) {
  Differ differ(repository);
  if (!(before == after)) differ.compare(before, after, "");
  return differ.take();
}

std::vector<std::string> names_of_tree(git_repository* repository, const ObjectId& tree) {
  std::vector<std::string> names;
  for (Entry& entry : entries_of(repository, tree, "")) names.push_back(std::move(entry.name));
  return names;
}

ObjectId tree_of_commit(git_repository* repository, std::string_view commit) {
  const git_oid oid = to_oid(parse_id(commit));
  Handle<git_commit> found;
  if (git_commit_lookup(Out(found), repository, &oid) != 0) {
    throw Error(ErrorCode::not_found,
                "commit " + std::string(commit) + " is not there: it may have been removed by a forced push");
  }
  return to_id(*git_commit_tree_id(found.get()));
}

}  // namespace runner::git
