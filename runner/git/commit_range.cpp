#include "runner/git/commit_range.h"

#include <git2.h>

#include <set>

#include "runner/git/git_handles.h"
#include "runner/git/history.h"

namespace runner::git {
namespace {

struct FreeWalk {
  void operator()(git_revwalk* walk) const noexcept { git_revwalk_free(walk); }
};

git_oid parse(const std::string& id) {
  git_oid oid;
  check(git_oid_fromstr(&oid, id.c_str()), "'" + id + "' is no commit id");
  return oid;
}

RangeCommit read(git_repository* repository, const git_oid& id) {
  Handle<git_commit> commit;
  check(git_commit_lookup(Out(commit), repository, &id), "cannot read commit " + hex_of(&id));
  RangeCommit one;
  one.id = hex_of(&id);
  const git_signature* author = git_commit_author(commit.get());
  if (author != nullptr && author->name != nullptr) one.author = author->name;
  const char* subject = git_commit_summary(commit.get());
  if (subject != nullptr) one.subject = subject;
  one.at = TimePoint(std::chrono::seconds(git_commit_time(commit.get())));
  return one;
}

/// Those that `with` has and `without` has not; returns how many there are.
std::size_t walk(git_repository* repository, const std::string& without, const std::string& with,
                 std::size_t limit, std::vector<RangeCommit>& found) {
  git_revwalk* raw = nullptr;
  check(git_revwalk_new(&raw, repository), "cannot walk over commits");
  const std::unique_ptr<git_revwalk, FreeWalk> walker(raw);
  git_revwalk_sorting(raw, GIT_SORT_TOPOLOGICAL | GIT_SORT_TIME);
  const git_oid from = parse(without), to = parse(with);
  check(git_revwalk_push(raw, &to), "cannot read commit " + with);
  check(git_revwalk_hide(raw, &from), "cannot read commit " + without);
  std::size_t count = 0;
  git_oid id;
  while (count < kMostCounted) {
    const int result = git_revwalk_next(&id, raw);
    if (result == GIT_ITEROVER) break;
    check(result, "cannot walk over commits");
    if (count++ < limit) found.push_back(read(repository, id));
  }
  return count;
}

}  // namespace

CommitRange commits_between(const Mirror& mirror, const std::string& from, const std::string& to,
                            std::size_t limit) {
  CommitRange range;
  if (!mirror.has_commit(from) || !mirror.has_commit(to)) return range;
  range.known = true;
  if (from == to) return range;
  range.commits_total = walk(mirror.handle(), from, to, limit, range.commits);
  range.gone_total = walk(mirror.handle(), to, from, limit, range.gone);
  std::set<std::string> paths;
  add_committed_changes(mirror.handle(), from, to, paths);
  range.files = paths.size();
  return range;
}

}  // namespace runner::git
