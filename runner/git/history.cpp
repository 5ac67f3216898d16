#include "runner/git/history.h"

#include <git2.h>

#include <array>

#include "runner/base/log.h"
#include "runner/git/git_handles.h"

namespace runner::git {
namespace {

git_oid parse(const std::string& id) {
  git_oid oid;
  check(git_oid_fromstr(&oid, id.c_str()), "'" + id + "' is no commit id");
  return oid;
}

Handle<git_commit> find_commit(git_repository* repository, const std::string& id) {
  const git_oid oid = parse(id);
  Handle<git_commit> commit;
  check(git_commit_lookup(Out(commit), repository, &oid), "cannot read commit " + id);
  return commit;
}

Handle<git_tree> tree_of(git_repository* repository, const std::string& id) {
  Handle<git_tree> tree;
  check(git_commit_tree(Out(tree), find_commit(repository, id).get()),
        "cannot read the tree of commit " + id);
  return tree;
}

void add_paths(git_diff* diff, std::set<std::string>& paths) {
  for (std::size_t i = 0; i < git_diff_num_deltas(diff); ++i) {
    const git_diff_delta* delta = git_diff_get_delta(diff, i);
    if (delta->old_file.path != nullptr) paths.emplace(delta->old_file.path);
    if (delta->new_file.path != nullptr) paths.emplace(delta->new_file.path);
  }
}

git_diff_options diff_options() {
  git_diff_options options;
  git_diff_options_init(&options, GIT_DIFF_OPTIONS_VERSION);
  options.flags = GIT_DIFF_SKIP_BINARY_CHECK;
  options.ignore_submodules = GIT_SUBMODULE_IGNORE_DIRTY;
  return options;
}

/// Mode and id of a path in a commit; nullopt = not there. Both matter: chmod +x is a change.
struct Version {
  std::string id;
  int mode = 0;
  bool operator==(const Version&) const = default;
};

std::optional<Version> version_in(git_commit* commit, const std::string& path) {
  Handle<git_tree> tree;
  check(git_commit_tree(Out(tree), commit), "cannot read the tree of a commit");
  Handle<git_tree_entry> entry;
  const int result = git_tree_entry_bypath(Out(entry), tree.get(), path.c_str());
  if (result == GIT_ENOTFOUND) return std::nullopt;
  check(result, "cannot look up '" + path + "'");
  return Version{hex_of(git_tree_entry_id(entry.get())),
                 static_cast<int>(git_tree_entry_filemode(entry.get()))};
}

}  // namespace

std::string resolve_commit(git_repository* repository, std::string_view name) {
  const std::string text(name);
  // Nothing but names: the revision syntax (@{-1}, :/text) is not part of the language.
  if (text.empty() || text.find_first_of("@^~: ") != std::string::npos) return {};
  const std::array<std::string, 4> specs = {"refs/heads/" + text, "refs/remotes/origin/" + text,
                                            "refs/tags/" + text, text};
  for (const std::string& spec : specs) {
    Handle<git_object> object;
    if (git_revparse_single(Out(object), repository, spec.c_str()) != 0) continue;
    Handle<git_object> commit;
    if (git_object_peel(Out(commit), object.get(), GIT_OBJECT_COMMIT) == 0)
      return hex_of(git_object_id(commit.get()));
  }
  return {};
}

std::string merge_base(git_repository* repository, const std::string& one, const std::string& other) {
  const git_oid first = parse(one);
  const git_oid second = parse(other);
  git_oid base;
  const int result = git_merge_base(&base, repository, &first, &second);
  if (result == 0) return hex_of(&base);
  if (result != GIT_ENOTFOUND) log_debug("git", "no merge base: " + last_message());
  return {};
}

std::string first_parent(git_repository* repository, const std::string& commit) {
  const Handle<git_commit> found = find_commit(repository, commit);
  if (git_commit_parentcount(found.get()) == 0) return {};
  Handle<git_commit> parent;
  const int result = git_commit_parent(Out(parent), found.get(), 0);
  return result == 0 ? hex_of(git_commit_id(parent.get())) : std::string();
}

void add_committed_changes(git_repository* repository, const std::string& from, const std::string& to,
                           std::set<std::string>& paths) {
  if (from == to) return;
  const git_diff_options options = diff_options();
  Handle<git_diff> diff;
  check(git_diff_tree_to_tree(Out(diff), repository, tree_of(repository, from).get(),
                              tree_of(repository, to).get(), &options),
        "cannot compare commits " + from + " and " + to);
  add_paths(diff.get(), paths);
}

void add_uncommitted_changes(git_repository* repository, const std::string& commit,
                             std::set<std::string>& paths) {
  const git_diff_options options = diff_options();
  Handle<git_diff> diff;
  check(
      git_diff_tree_to_workdir_with_index(Out(diff), repository, tree_of(repository, commit).get(), &options),
      "cannot compare the working tree with commit " + commit);
  add_paths(diff.get(), paths);
}

std::optional<std::string> last_commit_of(git_repository* repository, const std::string& start,
                                          const std::string& path) {
  Handle<git_commit> commit = find_commit(repository, start);
  std::optional<Version> now = version_in(commit.get(), path);
  bool ever = now.has_value();
  for (;;) {
    // As git simplifies history: follow the first parent that has the same content, whatever the others have.
    Handle<git_commit> same;
    const unsigned parents = git_commit_parentcount(commit.get());
    bool cut_off = false;
    for (unsigned i = 0; i < parents && !same; ++i) {
      Handle<git_commit> parent;
      if (git_commit_parent(Out(parent), commit.get(), i) != 0) {
        cut_off = true;  // a shallow clone ends here
        continue;
      }
      const std::optional<Version> before = version_in(parent.get(), path);
      ever = ever || before.has_value();
      if (before == now) same = std::move(parent);
    }
    if (!same) {
      if (!ever || (!now && (parents == 0 || cut_off))) return std::nullopt;
      return hex_of(git_commit_id(commit.get()));
    }
    commit = std::move(same);
  }
}

}  // namespace runner::git
