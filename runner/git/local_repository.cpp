#include "runner/git/local_repository.h"

#include <git2.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <mutex>
#include <set>

#include "runner/base/error.h"
#include "runner/base/text.h"
#include "runner/git/git_handles.h"
#include "runner/git/head_facts.h"
#include "runner/git/history.h"
#include "runner/git/local_repository_impl.h"
#include "runner/git/tree_diff.h"
#include "runner/git/work_tree_scan.h"

namespace runner::git {
namespace fs = std::filesystem;
namespace {

fs::path plain_path(const char* text) {
  if (text == nullptr) return {};
  std::string path = text;
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path;
}

/// The index knows the content by the file's size and times, unless it was written in the same instant.
bool index_is_current(const git_index_entry& entry, const struct stat& info, const struct stat& index_info) {
  const auto seconds = static_cast<std::int32_t>(info.st_mtim.tv_sec);
  return S_ISREG(info.st_mode) && entry.file_size == static_cast<std::uint32_t>(info.st_size) &&
         entry.mtime.seconds == seconds &&
         entry.mtime.nanoseconds == static_cast<std::uint32_t>(info.st_mtim.tv_nsec) &&
         entry.mtime.nanoseconds != 0 && entry.ino == static_cast<std::uint32_t>(info.st_ino) &&
         seconds < index_info.st_mtim.tv_sec;
}

constexpr int kMostLinks = 16;

WorkTreeEntries entries_of_commit(git_repository* repository, const std::string& commit) {
  WorkTreeEntries entries;
  for (TreeChange& change : diff_trees(repository, ObjectId{}, tree_of_commit(repository, commit))) {
    if (is_file(change.after)) entries.files.push_back(std::move(change.path));
    if (change.after == Node::submodule) entries.submodules.push_back(std::move(change.path));
  }
  std::sort(entries.files.begin(), entries.files.end());
  return entries;
}

}  // namespace

LocalRepository::LocalRepository(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
LocalRepository::~LocalRepository() = default;

std::unique_ptr<LocalRepository> LocalRepository::open(const fs::path& directory) {
  auto impl = std::make_unique<Impl>();
  std::error_code ignored;
  const fs::path absolute = fs::canonical(directory, ignored);
  if (ignored)
    throw Error(ignored, "cannot read directory '" + directory.string() + "': " + ignored.message());
  const int result = git_repository_open_ext(Out(impl->repository), absolute.c_str(), 0, nullptr);
  if (result != 0 && result != GIT_ENOTFOUND) {
    throw Error(ErrorCode::invalid_input,
                "cannot read the git repository of '" + absolute.string() + "': " + last_message());
  }
  impl->root = absolute;
  if (impl->repository) {
    impl->git_dir = plain_path(git_repository_path(impl->repository.get()));
    impl->common_dir = plain_path(git_repository_commondir(impl->repository.get()));
    if (const char* work_tree = git_repository_workdir(impl->repository.get()); work_tree != nullptr) {
      impl->root = plain_path(work_tree);
    }
  }
  return std::unique_ptr<LocalRepository>(new LocalRepository(std::move(impl)));
}

std::unique_ptr<LocalRepository> LocalRepository::open_at(const fs::path& directory,
                                                          const std::string& revision) {
  auto opened = open(directory);
  Impl& impl = *opened->impl_;
  if (!impl.repository) {
    throw Error(ErrorCode::not_found, "there is no git repository at '" + opened->root().string() +
                                          "', so it has no commit " + in_quotes(revision));
  }
  impl.commit = revision.starts_with('-') ? std::string() : resolve_commit(impl.repository.get(), revision);
  if (impl.commit.empty() && !revision.starts_with('-')) {
    Handle<git_object> object, commit;
    bool found = git_revparse_single(Out(object), impl.repository.get(), revision.c_str()) == 0;
    found = found && git_object_peel(Out(commit), object.get(), GIT_OBJECT_COMMIT) == 0;
    if (found) {
      impl.commit.assign(GIT_OID_HEXSZ, '\0');
      git_oid_fmt(impl.commit.data(), git_object_id(commit.get()));
    }
  }
  if (impl.commit.empty())
    throw Error(ErrorCode::not_found, "there is no commit " + in_quotes(revision) + " in this repository");
  impl.revision = revision;
  return opened;
}

const std::string& LocalRepository::commit() const noexcept {
  return impl_->commit;
}

Handle<git_tree_entry> LocalRepository::Impl::committed(std::string_view path) {
  Handle<git_tree_entry> entry;
  git_oid id;
  Handle<git_commit> at;
  Handle<git_tree> tree;
  check(git_oid_fromstr(&id, commit.c_str()), "no commit id");
  check(git_commit_lookup(Out(at), repository.get(), &id), "cannot read commit " + commit);
  check(git_commit_tree(Out(tree), at.get()), "cannot read the tree of commit " + commit);
  if (!path.empty() && git_tree_entry_bypath(Out(entry), tree.get(), std::string(path).c_str()) != 0)
    return {};
  return entry;
}

std::optional<std::string> LocalRepository::committed_file(std::string_view path) {
  const std::lock_guard lock(impl_->mutex);
  std::string name = fs::path(path).lexically_normal().string();
  for (int links = 0; links < kMostLinks; ++links) {
    const Handle<git_tree_entry> entry = impl_->committed(name);
    if (!entry || git_tree_entry_type(entry.get()) != GIT_OBJECT_BLOB) return std::nullopt;
    Handle<git_object> object;
    check(git_tree_entry_to_object(Out(object), impl_->repository.get(), entry.get()),
          "cannot read '" + name + "'");
    const auto* blob = reinterpret_cast<const git_blob*>(object.get());
    std::string content(static_cast<const char*>(git_blob_rawcontent(blob)),
                        static_cast<std::size_t>(git_blob_rawsize(blob)));
    if (git_tree_entry_filemode(entry.get()) != GIT_FILEMODE_LINK) return content;
    name = (fs::path(name).parent_path() / content).lexically_normal().string();
    if (name.starts_with("..") || name.starts_with('/')) return std::nullopt;
  }
  return std::nullopt;
}

bool LocalRepository::is_repository() const noexcept {
  return impl_->repository != nullptr;
}
const fs::path& LocalRepository::root() const noexcept {
  return impl_->root;
}
const fs::path& LocalRepository::git_dir() const noexcept {
  return impl_->git_dir;
}
const fs::path& LocalRepository::common_dir() const noexcept {
  return impl_->common_dir;
}

git_index* LocalRepository::Impl::open_index() {
  if (!index) check(git_repository_index(Out(index), repository.get()), "cannot read the git index");
  return index.get();
}

const LocalFacts& LocalRepository::Impl::get_facts() {
  if (!facts) facts = repository ? read_head_facts(repository.get(), commit, revision) : LocalFacts{};
  return *facts;
}

const WorkTreeEntries& LocalRepository::Impl::get_entries() {
  if (entries) return *entries;
  if (!repository) {
    entries = scan_plain_directory(root);
  } else if (!commit.empty()) {
    entries = entries_of_commit(repository.get(), commit);
  } else if (git_repository_is_bare(repository.get()) != 0) {
    entries.emplace();
  } else {
    entries = scan_work_tree(repository.get(), open_index(), root);
  }
  return *entries;
}

const std::string& LocalRepository::Impl::get_before_sha() {
  if (before_sha) return *before_sha;
  const LocalFacts& head = get_facts();
  std::string base;
  if (!head.sha.empty() && head.tag.empty()) {
    if (!head.branch.empty()) {
      const std::string origin =
          resolve_commit(repository.get(), "refs/remotes/origin/" + head.default_branch);
      const bool on_default = head.branch == head.default_branch;
      const std::string other = !origin.empty() || on_default
                                    ? origin
                                    : resolve_commit(repository.get(), "refs/heads/" + head.default_branch);
      if (!other.empty()) base = merge_base(repository.get(), head.sha, other);
      if (on_default && base == head.sha) base.clear();
      if (on_default && base.empty()) base = first_parent(repository.get(), head.sha);
    } else {
      base = first_parent(repository.get(), head.sha);
    }
  }
  before_sha = std::move(base);
  return *before_sha;
}

std::vector<std::string> LocalRepository::Impl::changes_from(const std::string& base) {
  std::set<std::string> paths;
  add_committed_changes(repository.get(), base, get_facts().sha, paths);
  if (commit.empty() && git_repository_is_bare(repository.get()) == 0) {
    add_uncommitted_changes(repository.get(), get_facts().sha, paths);
    const WorkTreeEntries& seen = get_entries();
    paths.insert(seen.untracked.begin(), seen.untracked.end());
  }
  return {paths.begin(), paths.end()};
}

const LocalFacts& LocalRepository::facts() {
  const std::lock_guard lock(impl_->mutex);
  return impl_->get_facts();
}

const WorkTreeEntries& LocalRepository::entries() {
  const std::lock_guard lock(impl_->mutex);
  return impl_->get_entries();
}

const std::string& LocalRepository::before_sha() {
  const std::lock_guard lock(impl_->mutex);
  return impl_->get_before_sha();
}

std::optional<std::vector<std::string>> LocalRepository::changed_files() {
  const std::lock_guard lock(impl_->mutex);
  const std::string& base = impl_->get_before_sha();
  if (base.empty()) return std::nullopt;
  return impl_->changes_from(base);
}

std::optional<std::vector<std::string>> LocalRepository::changed_since(std::string_view ref) {
  const std::lock_guard lock(impl_->mutex);
  if (!impl_->repository || impl_->get_facts().sha.empty()) return std::nullopt;
  const std::string other = resolve_commit(impl_->repository.get(), ref);
  if (other.empty()) return std::nullopt;
  const std::string base = merge_base(impl_->repository.get(), impl_->get_facts().sha, other);
  if (base.empty()) return std::nullopt;
  return impl_->changes_from(base);
}

bool LocalRepository::is_tracked(std::string_view path) {
  const std::lock_guard lock(impl_->mutex);
  if (!impl_->commit.empty()) {
    const Handle<git_tree_entry> entry = impl_->committed(path);
    return entry && git_tree_entry_type(entry.get()) != GIT_OBJECT_TREE;
  }
  if (!impl_->repository || git_repository_is_bare(impl_->repository.get()) != 0) return false;
  return git_index_get_bypath(impl_->open_index(), std::string(path).c_str(), 0) != nullptr;
}

std::optional<std::string> LocalRepository::blob_id(std::string_view path) {
  const std::lock_guard lock(impl_->mutex);
  const std::string name(path);
  if (!impl_->commit.empty()) {
    const Handle<git_tree_entry> entry = impl_->committed(path);
    if (!entry || git_tree_entry_type(entry.get()) != GIT_OBJECT_BLOB) return std::nullopt;
    std::string text(GIT_OID_HEXSZ, '\0');
    git_oid_fmt(text.data(), git_tree_entry_id(entry.get()));
    return text;
  }
  const fs::path real = impl_->root / name;
  struct stat info {};
  if (::lstat(real.c_str(), &info) != 0 || !(S_ISREG(info.st_mode) || S_ISLNK(info.st_mode)))
    return std::nullopt;
  git_oid id;
  if (S_ISLNK(info.st_mode)) {
    const std::string target = fs::read_symlink(real).string();
    check(git_odb_hash(&id, target.data(), target.size(), GIT_OBJECT_BLOB), "cannot hash '" + name + "'");
  } else if (impl_->repository && git_repository_is_bare(impl_->repository.get()) == 0) {
    struct stat index_info {};
    const git_index_entry* entry = git_index_get_bypath(impl_->open_index(), name.c_str(), 0);
    const bool known = entry != nullptr && ::stat((impl_->git_dir / "index").c_str(), &index_info) == 0 &&
                       index_is_current(*entry, info, index_info);
    if (known) {
      id = entry->id;
    } else {
      check(
          git_repository_hashfile(&id, impl_->repository.get(), real.c_str(), GIT_OBJECT_BLOB, name.c_str()),
          "cannot hash '" + name + "'");
    }
  } else {
    check(git_odb_hashfile(&id, real.c_str(), GIT_OBJECT_BLOB), "cannot hash '" + name + "'");
  }
  std::string text(GIT_OID_HEXSZ, '\0');
  git_oid_fmt(text.data(), &id);
  return text;
}

std::optional<std::string> LocalRepository::last_commit(std::string_view path) {
  const std::lock_guard lock(impl_->mutex);
  if (!impl_->repository || path.empty() || impl_->get_facts().sha.empty()) return std::nullopt;
  return last_commit_of(impl_->repository.get(), impl_->get_facts().sha, std::string(path));
}

}  // namespace runner::git
