#include "runner/git/checkout.h"

#include <git2.h>

#include <algorithm>

#include "cache/workspace.h"
#include "runner/base/digest.h"
#include "runner/base/error.h"
#include "runner/base/failpoint.h"
#include "runner/base/files.h"
#include "runner/base/text.h"
#include "runner/git/blob_writer.h"
#include "runner/git/git_directory.h"
#include "runner/git/git_handles.h"
#include "runner/git/remote_url.h"
#include "runner/git/submodules.h"
#include "runner/git/tree_layers.h"

namespace runner::git {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kNamedPointers = 5;
constexpr std::size_t kDeepestSubmodules = 32;

/// A repository within the workspace: the project itself, or a submodule.
struct Place {
  std::string path;       // of its files, "" = the workspace; else with '/' at the end
  std::string directory;  // of its git directory, from the workspace's top
  std::string url;
  std::size_t depth = 20;
};

struct LinkedSubmodule {
  Submodule submodule;
  std::string commit, url;
};

class CheckoutMaker {
 public:
  CheckoutMaker(const CheckoutRequest& request, cache::LayerStore& store)
      : request_(request), store_(store), tool_(request.lfs ? find_lfs_tool() : fs::path()) {}

  CheckoutLayers run(const Mirror& mirror) {
    TreeStack files = tree_layers(mirror, tree_request(mirror, request_.commit, request_.origin_url), store_);
    note(files, "");
    const std::vector<LinkedSubmodule> linked = submodules_of(mirror, request_.commit, request_.origin_url);
    GitDirectoryRequest git;
    git.commit = request_.commit;
    git.ref = request_.ref;
    git.attached_branch = request_.attached_branch;
    git.may_push = request_.fetch_from.empty();
    git.origin_url = git.may_push ? request_.origin_url : request_.fetch_from;
    git.depth = request_.depth;
    git.lfs = !tool_.empty();
    git.more_config = config_of(linked);
    add(git_layer(describe_git_directory(mirror, git)));
    const Place top{"", ".git", request_.origin_url, request_.depth};
    for (const LinkedSubmodule& one : linked) add_submodule(top, one, 1);
    add(std::move(files.entry));
    return std::move(result_);
  }

 private:
  void add(cache::HeldEntry entry) {
    for (const cache::Layer& layer : entry->layers) result_.lowers.push_back(layer.tree);
    result_.held.push_back(std::move(entry));
  }

  TreeRequest tree_request(const Mirror& mirror, const std::string& commit, const std::string& url) const {
    TreeRequest request;
    request.scope = request_.scope;
    request.commit = commit;
    request.lfs = !tool_.empty();
    request.storage = {tool_, mirror.directory(), url};
    return request;
  }

  void note(TreeStack& files, const std::string& prefix) {
    for (std::string& notice : files.notices) result_.notices.push_back(std::move(notice));
    if (files.pointers.empty() || !request_.lfs) return;
    std::string names;
    for (std::size_t i = 0; i < std::min(kNamedPointers, files.pointers.size()); ++i)
      names += (i == 0 ? "" : ", ") + prefix + files.pointers[i];
    if (files.pointers.size() > kNamedPointers)
      names += " and " + std::to_string(files.pointers.size() - kNamedPointers) + " more";
    result_.notices.push_back(
        "git-lfs is not installed, so these files hold pointers, not their content: " + names +
        "; install git-lfs, or set GIT_LFS_SKIP_SMUDGE=true to say that this is meant");
  }

  // The git directory.

  cache::HeldEntry git_layer(const GitDirectory& description) {
    cache::NewEntry entry;
    entry.name = {cache::Space::checkout, request_.scope, "git " + fingerprint(description)};
    if (auto known = store_.find(entry.name)) return known;
    entry.facts.family = "git ";
    entry.facts.origin = "commit " + request_.commit;
    cache::Draft draft = store_.begin();
    write_git_directory(description, draft.tree() / ".git");
    failpoint("checkout.git_written");
    return store_.commit(std::move(entry), std::move(draft));
  }

  static std::string config_of(const std::vector<LinkedSubmodule>& linked) {
    std::string text;
    for (const LinkedSubmodule& one : linked) {
      text += "[submodule " + config_quoted(one.submodule.name) +
              "]\n\tactive = true\n\turl = " + config_quoted(without_credentials(one.url)) + "\n";
    }
    return text;
  }

  // Submodules.

  std::vector<LinkedSubmodule> submodules_of(const Mirror& mirror, const std::string& commit,
                                             const std::string& url, bool nested = false) const {
    std::vector<LinkedSubmodule> linked;
    if (request_.submodules == SubmoduleStrategy::none) return linked;
    const git_oid oid = to_oid(tree_of_commit(mirror.handle(), commit));
    Handle<git_tree> tree;
    if (git_tree_lookup(Out(tree), mirror.handle(), &oid) != 0) return linked;
    const git_tree_entry* modules = git_tree_entry_byname(tree.get(), ".gitmodules");
    if (modules == nullptr || git_tree_entry_type(modules) != GIT_OBJECT_BLOB) return linked;
    if (git_tree_entry_filemode(modules) == GIT_FILEMODE_LINK)
      throw Error(ErrorCode::invalid_input,
                  "'.gitmodules' of the commit is a link, which is not safe to use");
    const std::string text = read_blob(mirror.handle(), to_id(*git_tree_entry_id(modules)), ".gitmodules");
    for (Submodule& one : parse_gitmodules(text)) {
      if (!nested && !is_chosen(one.path, request_.submodule_paths)) continue;
      Handle<git_tree_entry> entry;
      const bool there = git_tree_entry_bypath(Out(entry), tree.get(), one.path.c_str()) == 0;
      if (!there || git_tree_entry_filemode(entry.get()) != GIT_FILEMODE_COMMIT) {
        continue;  // named, but not there in this commit
      }
      if (one.url.empty())
        throw Error(ErrorCode::invalid_input,
                    "submodule " + in_quotes(to_utf8(one.path)) + " has no url in .gitmodules");
      LinkedSubmodule found{one, to_hex(to_id(*git_tree_entry_id(entry.get()))),
                            resolve_submodule_url(url, one.url)};
      linked.push_back(std::move(found));
    }
    return linked;
  }

  void add_submodule(const Place& around, const LinkedSubmodule& linked, std::size_t level) {
    const std::string path = around.path + linked.submodule.path;
    try {
      if (level > kDeepestSubmodules)
        throw Error(ErrorCode::invalid_input, "submodules lie in one another too deeply");
      if (!request_.submodule_mirror)
        throw Error(ErrorCode::unavailable, "submodules cannot be fetched here");
      const std::unique_ptr<Mirror> mirror = request_.submodule_mirror(linked.url, linked.commit);
      if (!mirror->has_commit(linked.commit)) {
        throw Error(ErrorCode::not_found, "commit " + linked.commit + " is not in " +
                                              in_quotes(without_credentials(linked.url)) +
                                              ": push it there, or let the project name another");
      }
      Place place;
      place.path = path + "/";
      place.directory = around.directory + "/modules/" + linked.submodule.name;
      place.url = linked.url;
      place.depth = request_.submodule_depth.value_or(request_.depth);
      add_repository(place, *mirror, linked, level);
    } catch (Error& error) {
      error.add_context("submodule " + in_quotes(to_utf8(path)));
      throw;
    }
  }

  void add_repository(const Place& place, const Mirror& mirror, const LinkedSubmodule& linked,
                      std::size_t level) {
    std::vector<LinkedSubmodule> inner;
    if (request_.submodules == SubmoduleStrategy::recursive)
      inner = submodules_of(mirror, linked.commit, linked.url, true);
    GitDirectoryRequest git;
    git.commit = linked.commit;
    git.origin_url = linked.url;
    git.depth = place.depth;
    git.lfs = !tool_.empty();
    git.more_config = config_of(inner);
    git.work_tree = way(place.directory, place.path);
    const GitDirectory description = describe_git_directory(mirror, git);
    TreeRequest of_files = tree_request(mirror, linked.commit, linked.url);
    of_files.place = place.path;
    TreeStack files = tree_layers(mirror, of_files, store_);
    note(files, place.path);
    add(module_layer(place, *files.entry, description));
    for (const LinkedSubmodule& one : inner) add_submodule(place, one, level + 1);
  }

  /// From one directory of the workspace to another, by names alone.
  static std::string way(const fs::path& from, const fs::path& to) {
    const auto plain = [](const fs::path& path) {
      return path.has_filename() ? path.lexically_normal() : path.parent_path().lexically_normal();
    };
    return plain(to).lexically_relative(plain(from)).string();
  }

  /// The files of a submodule at their path, and its git directory where git keeps it.
  cache::HeldEntry module_layer(const Place& place, const cache::Entry& files,
                                const GitDirectory& description) {
    cache::NewEntry entry;
    entry.name = {cache::Space::checkout, request_.scope,
                  "submodule " + sha256_hex(place.path + '\0' + place.directory + '\0' + layers_of(files) +
                                            '\0' + fingerprint(description))};
    if (auto known = store_.find(entry.name)) return known;
    entry.facts.family = "submodule " + place.path;
    entry.facts.origin = "commit " + request_.commit;
    entry.files = files.files;
    entry.bytes = files.bytes;
    cache::Draft draft = store_.begin();
    const fs::path own = draft.tree() / place.path, git = draft.tree() / place.directory;
    make_directories(own.parent_path().parent_path());
    make_directories(git.parent_path());
    write_git_directory(description, git);
    place_files(files, own.parent_path());
    fs::rename(own / ".git/index", git / "index");
    fs::remove(own / ".git");
    write_file_atomic(own / ".git", "gitdir: " + way(place.path, place.directory) + "\n", 0644, false);
    failpoint("checkout.submodule_written");
    return store_.commit(std::move(entry), std::move(draft));
  }

  /// The same files may have been written again with newer times: then they are other layers.
  static std::string layers_of(const cache::Entry& files) {
    std::string ids;
    for (const cache::Layer& layer : files.layers) ids += std::to_string(layer.id) + " ";
    return ids;
  }

  static void place_files(const cache::Entry& files, const fs::path& destination) {
    std::vector<fs::path> layers;
    for (const cache::Layer& layer : files.layers) layers.push_back(layer.tree);
    cache::squash_layers(layers, destination);
  }

  const CheckoutRequest& request_;
  cache::LayerStore& store_;
  const fs::path tool_;
  CheckoutLayers result_;
};

}  // namespace

CheckoutLayers checkout_layers(const Mirror& mirror, const CheckoutRequest& request,
                               cache::LayerStore& store) {
  const Library library;
  try {
    return CheckoutMaker(request, store).run(mirror);
  } catch (const fs::filesystem_error& error) {
    throw Error(error.code(), std::string("cannot make the checkout: ") + error.what());
  }
}

}  // namespace runner::git
