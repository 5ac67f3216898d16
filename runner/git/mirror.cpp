#include "runner/git/mirror.h"

#include <fcntl.h>
#include <git2.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include "runner/base/error.h"
#include "runner/base/failpoint.h"
#include "runner/base/fd.h"
#include "runner/base/files.h"
#include "runner/base/text.h"
#include "runner/git/git_handles.h"
#include "runner/git/history.h"
#include "runner/git/mirror_transfer.h"

namespace runner::git {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kFiles[] = {"HEAD", "packed-refs", "shallow", "config"};
constexpr std::array<int, 6> kWaitsMs = {2, 5, 10, 25, 50, 100};

bool is_there(const fs::path& directory) {
  struct stat info {};
  return ::stat((directory / "HEAD").c_str(), &info) == 0;
}

void make_bare(const fs::path& directory) {
  const fs::path draft = directory.native() + ".new";
  remove_tree(draft);
  make_directories(draft / "objects/info");
  make_directories(draft / "objects/pack");
  make_directories(draft / "refs/heads");
  make_directories(draft / "refs/tags");
  write_file_atomic(draft / "config",
                    "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = true\n"
                    "[gc]\n\tauto = 0\n",
                    0644, false);
  write_file_atomic(draft / "HEAD", "ref: refs/heads/main\n", 0644, false);
  failpoint("mirror.made");
  remove_tree(directory);  // what has no HEAD is no mirror
  if (::rename(draft.c_str(), directory.c_str()) != 0)
    throw_errno("cannot make the mirror " + in_quotes(directory.native()));
}

}  // namespace

UniqueFd lock_mirror(const fs::path& directory, const std::stop_token& stop) {
  const fs::path path = directory.native() + ".lock";
  UniqueFd lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!lock) throw_errno("cannot make the lock file " + in_quotes(path.native()));
  const WakeUp stopped;
  const std::stop_callback on_stop(stop, [&] { stopped.signal(); });
  // flock(2) itself could not be interrupted, and no one says when it is free: asked ten times a second.
  for (std::size_t tries = 0; ::flock(lock.get(), LOCK_EX | LOCK_NB) != 0; ++tries) {
    if (errno != EWOULDBLOCK && errno != EINTR) throw_errno("cannot lock " + in_quotes(path.native()));
    if (stop.stop_requested()) throw Error(ErrorCode::cancelled, "it was stopped");
    pollfd watched{stopped.fd(), POLLIN, 0};
    ::poll(&watched, 1, kWaitsMs[std::min(tries, kWaitsMs.size() - 1)]);
  }
  return lock;
}

void remove_leftovers(const fs::path& directory) {
  std::error_code error;
  std::vector<fs::path> stale;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename().string();
    // Lock files of libgit2, and drafts of write_file_atomic().
    const bool draft = std::any_of(std::begin(kFiles), std::end(kFiles), [&](std::string_view file) {
      return name.size() == file.size() + 7 && name.starts_with(file) && name[file.size()] == '.';
    });
    if (draft || name.ends_with(".lock")) stale.push_back(entry.path());
  }
  for (fs::recursive_directory_iterator entry(directory / "refs", error), end; !error && entry != end;
       entry.increment(error)) {
    if (entry->path().extension() == ".lock") stale.push_back(entry->path());
  }
  for (const fs::directory_entry& entry : fs::directory_iterator(directory / "objects/pack", error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("pack_git2_") || name.starts_with("tmp_") || name.ends_with(".lock"))
      stale.push_back(entry.path());
  }
  for (const fs::directory_entry& folder : fs::directory_iterator(directory / "objects", error)) {
    if (folder.path().filename().native().size() != 2) continue;
    for (const fs::directory_entry& entry : fs::directory_iterator(folder.path(), error)) {
      if (entry.path().filename().native().starts_with("tmp_")) stale.push_back(entry.path());
    }
  }
  for (const fs::path& path : stale) remove_tree(path);
}

struct Mirror::Impl {
  Library library;  // first: it goes last
  fs::path directory;
  Handle<git_repository> repository;
};

Mirror::Mirror(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Mirror::~Mirror() = default;

std::unique_ptr<Mirror> Mirror::open(const fs::path& directory) {
  auto impl = std::make_unique<Impl>();
  impl->directory = directory;
  if (!is_there(directory)) {
    make_directories(directory.parent_path());
    const UniqueFd lock = lock_mirror(directory);
    if (!is_there(directory)) make_bare(directory);
  }
  check(git_repository_open_bare(Out(impl->repository), directory.c_str()),
        "cannot open the mirror " + in_quotes(directory.native()));
  return std::unique_ptr<Mirror>(new Mirror(std::move(impl)));
}

const fs::path& Mirror::directory() const noexcept {
  return impl_->directory;
}
git_repository* Mirror::handle() const noexcept {
  return impl_->repository.get();
}

FetchResult Mirror::fetch(const FetchRequest& request) {
  const auto is_there = [&] { return !request.wanted.empty() && has_commit(request.wanted); };
  if (is_there()) return {};
  const RemoteUrl url = parse_remote_url(request.access.url);
  try {
    const UniqueFd lock = lock_mirror(impl_->directory, request.stop);
    // Whoever held the lock before may have brought it.
    if (is_there()) return {};
    remove_leftovers(impl_->directory);
    return transfer(impl_->repository.get(), impl_->directory, url, request);
  } catch (Error& error) {
    error.add_context("cannot fetch from " + in_quotes(url.shown));
    throw;
  }
}

void Mirror::take_local(const fs::path& git_dir, const std::string& wanted) {
  // Branches and tags may have come, moved and gone since, and whoever began to take them may have been
  // killed.
  const RefTargets there = local_refs(git_dir, wanted);
  const auto taken = [&] {
    RefTargets here;
    for (auto& [name, id] : refs("refs/")) {
      if (!name.starts_with("refs/commits/") || there.contains(name)) here.emplace(name, id);
    }
    return here == there && has_commit(wanted);
  };
  if (taken()) return;
  const UniqueFd lock = lock_mirror(impl_->directory);
  if (taken()) return;
  remove_leftovers(impl_->directory);
  link_repository(git_dir, impl_->directory, {});
  failpoint("mirror.linked");
  // What was linked behind the back of the open handle.
  check(git_repository_open_bare(Out(impl_->repository), impl_->directory.c_str()), "cannot open the mirror");
  // Commits taken before stay. Nothing waits for the disk: what is lost is taken again.
  replace_refs(
      impl_->repository.get(), impl_->directory, there,
      [](const std::string& name) { return !name.starts_with("refs/commits/"); }, false);
}

bool Mirror::has_commit(std::string_view id) const {
  git_oid oid;
  if (id.size() != GIT_OID_HEXSZ || git_oid_fromstrn(&oid, id.data(), id.size()) != 0) return false;
  Handle<git_commit> commit;
  return git_commit_lookup(Out(commit), handle(), &oid) == 0;
}

std::string Mirror::merge_base(const std::string& one, const std::string& other) const {
  if (!has_commit(one) || !has_commit(other)) return {};
  return git::merge_base(handle(), one, other);
}

std::string Mirror::resolve(std::string_view name) const {
  if (name.empty() || name.starts_with('-')) return {};
  if (std::string found = resolve_commit(handle(), name); !found.empty()) return found;
  Handle<git_object> object, commit;
  if (git_revparse_single(Out(object), handle(), std::string(name).c_str()) != 0) return {};
  if (git_object_peel(Out(commit), object.get(), GIT_OBJECT_COMMIT) != 0) return {};
  return hex_of(git_object_id(commit.get()));
}

std::vector<std::pair<std::string, std::string>> Mirror::refs(std::string_view prefix) const {
  std::vector<std::pair<std::string, std::string>> found;
  Handle<git_reference_iterator> all;
  check(git_reference_iterator_new(Out(all), handle()), "cannot list the refs of the mirror");
  for (;;) {
    Handle<git_reference> reference;
    const int result = git_reference_next(Out(reference), all.get());
    if (result == GIT_ITEROVER) break;
    check(result, "cannot read the refs of the mirror");
    const std::string_view name = git_reference_name(reference.get());
    const git_oid* id = git_reference_target(reference.get());
    if (id != nullptr && name.starts_with(prefix)) found.emplace_back(name, hex_of(id));
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::string Mirror::default_branch() const {
  constexpr std::string_view kBranch = "ref: refs/heads/";
  const std::string head = read_file(impl_->directory / "HEAD").value_or("");
  const std::string_view line = trim(head);
  return line.starts_with(kBranch) ? std::string(line.substr(kBranch.size())) : std::string();
}

}  // namespace runner::git
