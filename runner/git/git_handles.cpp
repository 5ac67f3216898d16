#include "runner/git/git_handles.h"

#include <git2.h>

#include "runner/base/error.h"
#include "runner/git/quick_start.h"
#include "runner/git/warm_up.h"

namespace runner::git {

Library::Library() {
  const QuickStart without_certificates;
  if (git_libgit2_init() != 1) return;
  // Reading only: what git wrote is not verified again, and whoever runs us chose the directory themselves.
  git_libgit2_opts(GIT_OPT_ENABLE_STRICT_HASH_VERIFICATION, 0);
  git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
  // Extensions that change nothing for a reader.
  const char* extensions[] = {"worktreeconfig", "partialclone", "preciousobjects"};
  git_libgit2_opts(GIT_OPT_SET_EXTENSIONS, extensions, sizeof extensions / sizeof *extensions);
}

Library::~Library() {
  git_libgit2_shutdown();
}

void warm_up() noexcept {
  static const Library kept;
}

void GitFree::operator()(git_commit* object) const noexcept {
  git_commit_free(object);
}
void GitFree::operator()(git_config* object) const noexcept {
  git_config_free(object);
}
void GitFree::operator()(git_diff* object) const noexcept {
  git_diff_free(object);
}
void GitFree::operator()(git_index* object) const noexcept {
  git_index_free(object);
}
void GitFree::operator()(git_reference* object) const noexcept {
  git_reference_free(object);
}
void GitFree::operator()(git_reference_iterator* object) const noexcept {
  git_reference_iterator_free(object);
}
void GitFree::operator()(git_repository* object) const noexcept {
  git_repository_free(object);
}
void GitFree::operator()(git_tree* object) const noexcept {
  git_tree_free(object);
}
void GitFree::operator()(git_tree_entry* object) const noexcept {
  git_tree_entry_free(object);
}
void GitFree::operator()(git_object* object) const noexcept {
  git_object_free(object);
}

std::string hex_of(const git_oid* id) {
  std::string hex(GIT_OID_HEXSZ, '\0');
  git_oid_fmt(hex.data(), id);
  return hex;
}

std::string last_message() {
  const git_error* error = git_error_last();
  return error != nullptr && error->message != nullptr ? error->message : "no reason given";
}

void check(int result, std::string_view what) {
  if (result >= 0) return;
  const ErrorCode code = result == GIT_ENOTFOUND ? ErrorCode::not_found : ErrorCode::internal;
  throw Error(code, std::string(what) + ": " + last_message());
}

}  // namespace runner::git
