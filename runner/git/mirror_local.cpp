// Filling a mirror from a repository of this machine.
#include <fcntl.h>
#include <git2.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <vector>

#include "runner/base/copy_content.h"
#include "runner/base/error.h"
#include "runner/base/failpoint.h"
#include "runner/base/files.h"
#include "runner/base/text.h"
#include "runner/git/git_handles.h"
#include "runner/git/mirror_transfer.h"

namespace runner::git {
namespace fs = std::filesystem;
namespace {

constexpr int kMostAlternates = 16;
constexpr int kMostRounds = 20;
constexpr std::string_view kHeads = "refs/heads/", kOrigin = "refs/remotes/origin/", kTags = "refs/tags/",
                           kCommits = "refs/commits/";

std::vector<std::string> names_in(const fs::path& directory) {
  std::vector<std::string> names;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory, error))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

/// False when it is gone: then it was packed, or packed anew.
bool link_object(const fs::path& from, const fs::path& to, LinkRules rules) {
  // Never through a symbolic link: what it names might be anything that we may read and its owner may not.
  const UniqueFd source(::open(from.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat info {};
  if (!source && errno == ENOENT) return false;
  if (!source || ::fstat(source.get(), &info) != 0) throw_errno("cannot read " + in_quotes(from.native()));
  if (!S_ISREG(info.st_mode)) throw Error(ErrorCode::invalid_input, in_quotes(from.native()) + " is no file");
  // Objects never change, so a link is as good as a copy.
  if (!rules.own_only || info.st_uid == ::geteuid()) {
    if (::link(from.c_str(), to.c_str()) == 0 || errno == EEXIST) return true;
  }
  if (::access(to.c_str(), F_OK) == 0) return true;
  const fs::path draft = to.parent_path() / ("tmp_" + to.filename().string());
  ::unlink(draft.c_str());
  const UniqueFd target(::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444));
  if (!target) throw_errno("cannot make " + in_quotes(draft.native()));
  if (!clone_content(source.get(), target.get()))
    copy_content(source.get(), target.get(), info.st_size, from);
  // Its name would be believed after the machine went down.
  if (::fdatasync(target.get()) != 0) throw_errno("cannot write " + in_quotes(draft.native()));
  if (::rename(draft.c_str(), to.c_str()) != 0) throw_errno("cannot make " + in_quotes(to.native()));
  return true;
}

bool is_object_directory(const std::string& name) {
  return name.size() == 2 && name.find_first_not_of("0123456789abcdef") == std::string::npos;
}

/// Packs with an index, by the name that both share: without one, a pack is still being written.
std::vector<std::string> packs_in(const fs::path& objects) {
  const std::vector<std::string> names = names_in(objects / "pack");
  std::vector<std::string> packs;
  for (const std::string& name : names) {
    if (!name.starts_with("pack-") || !name.ends_with(".idx")) continue;
    const std::string stem = name.substr(0, name.size() - 4);
    if (std::binary_search(names.begin(), names.end(), stem + ".pack")) packs.push_back(stem);
  }
  return packs;
}

/// False when something went meanwhile.
bool link_once(const fs::path& from, const fs::path& to, const std::vector<std::string>& packs,
               LinkRules rules) {
  bool whole = true;
  for (const std::string& name : packs) {
    // A pack is seen by its index, so that comes last.
    for (const char* suffix : {".pack", ".idx"}) {
      if (!link_object(from / "pack" / (name + suffix), to / "pack" / (name + suffix), rules)) {
        whole = false;
        break;
      }
    }
  }
  for (const std::string& directory : names_in(from)) {
    if (!is_object_directory(directory)) continue;
    const std::vector<std::string> there = names_in(to / directory);
    const std::set<std::string, std::less<>> known(there.begin(), there.end());
    if (there.empty()) make_directories(to / directory);
    for (const std::string& name : names_in(from / directory)) {
      if (!name.starts_with("tmp_") && !known.contains(name))
        whole = link_object(from / directory / name, to / directory / name, rules) && whole;
    }
  }
  return whole;
}

/// The directory and those whose objects it borrows.
void add_object_directories(const fs::path& objects, std::vector<fs::path>& all) {
  if (all.size() >= kMostAlternates || std::find(all.begin(), all.end(), objects) != all.end()) return;
  all.push_back(objects);
  const std::string text = read_file(objects / "info/alternates").value_or("");
  for (const std::string_view line : split(text, '\n')) {
    if (line.empty() || line.front() == '#') continue;
    add_object_directories((objects / line).lexically_normal(), all);
  }
}

void link_objects(const fs::path& from, const fs::path& to, LinkRules rules) {
  for (int round = 0; round < kMostRounds; ++round) {
    const std::vector<std::string> packs = packs_in(from);
    const bool whole = link_once(from, to, packs, rules);
    failpoint("mirror.linking");
    // An object moves from its own file into a pack, and from pack to pack; the new pack is there before the
    // old place goes. So all were seen when there is no pack that was not looked at.
    if (whole && packs_in(from) == packs) return;
  }
  throw Error(ErrorCode::unavailable, "the objects in " + in_quotes(from.native()) +
                                          " are packed again and again meanwhile; try again later");
}

}  // namespace

void link_repository(const fs::path& git_dir, const fs::path& mirror, LinkRules rules) {
  std::vector<fs::path> all;
  add_object_directories(git_dir / "objects", all);
  for (const fs::path& objects : all) link_objects(objects, mirror / "objects", rules);
  const auto shallow = read_file(git_dir / "shallow");
  if (shallow && !shallow->empty()) {
    write_file_atomic(mirror / "shallow", *shallow, 0644, false);
  } else {
    fs::remove(mirror / "shallow");
  }
}

RefTargets local_refs(const fs::path& git_dir, const std::string& wanted) {
  Handle<git_repository> from;
  check(git_repository_open(Out(from), git_dir.c_str()), "cannot open " + in_quotes(git_dir.native()));
  RefTargets refs;
  Handle<git_reference_iterator> all;
  check(git_reference_iterator_new(Out(all), from.get()), "cannot list the refs");
  for (;;) {
    Handle<git_reference> reference;
    const int result = git_reference_next(Out(reference), all.get());
    if (result == GIT_ITEROVER) break;
    check(result, "cannot read the refs");
    const std::string name = git_reference_name(reference.get());
    const git_oid* id = git_reference_target(reference.get());
    if (id == nullptr) continue;
    if (name.starts_with(kHeads) || name.starts_with(kTags)) refs[name] = hex_of(id);
    if (name.starts_with(kOrigin))
      refs.emplace(std::string(kHeads) + name.substr(kOrigin.size()), hex_of(id));
  }
  refs.emplace(std::string(kCommits) + wanted, wanted);
  return refs;
}

}  // namespace runner::git
