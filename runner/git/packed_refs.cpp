#include "runner/git/packed_refs.h"

#include <git2.h>

#include <memory>
#include <system_error>
#include <vector>

#include "runner/base/error.h"
#include "runner/base/failpoint.h"
#include "runner/base/files.h"
#include "runner/base/text.h"
#include "runner/git/git_handles.h"

namespace runner::git {
namespace fs = std::filesystem;
namespace {

RefTargets refs_of(git_repository* mirror) {
  RefTargets refs;
  Handle<git_reference_iterator> all;
  check(git_reference_iterator_new(Out(all), mirror), "cannot list the refs of the mirror");
  for (;;) {
    Handle<git_reference> reference;
    const int result = git_reference_next(Out(reference), all.get());
    if (result == GIT_ITEROVER) return refs;
    check(result, "cannot read the refs of the mirror");
    const git_oid* id = git_reference_target(reference.get());
    if (id != nullptr) refs[git_reference_name(reference.get())] = hex_of(id);
  }
}

using Objects = std::unique_ptr<git_odb, void (*)(git_odb*)>;

Objects objects_of(git_repository* mirror) {
  git_odb* odb = nullptr;
  check(git_repository_odb(&odb, mirror), "cannot open the objects of the mirror");
  return {odb, &git_odb_free};
}

/// What an annotated tag stands for; "" for all else.
std::string peeled_id(git_repository* mirror, git_odb* objects, const std::string& name,
                      const std::string& hex) {
  git_oid id;
  check(git_oid_fromstr(&id, hex.c_str()), in_quotes(name) + " names no object");
  bool peeled = false;
  for (;;) {
    std::size_t size = 0;
    git_object_t type = GIT_OBJECT_INVALID;
    if (git_odb_read_header(&size, &type, objects, &id) != 0)
      throw Error(ErrorCode::corrupt,
                  "the object " + hex_of(&id) + " of " + in_quotes(name) +
                      " is missing or broken: remove the mirror, it is fetched again then");
    if (type != GIT_OBJECT_TAG) return peeled ? hex_of(&id) : std::string();
    Handle<git_object> tag;
    check(git_object_lookup(Out(tag), mirror, &id, GIT_OBJECT_TAG), "cannot read the tag " + in_quotes(name));
    id = *git_tag_target_id(reinterpret_cast<const git_tag*>(tag.get()));
    peeled = true;
  }
}

/// Each in a file of its own, as git writes them: seen before those of the one file.
std::vector<fs::path> loose_refs(const fs::path& directory) {
  std::vector<fs::path> found;
  std::error_code error;
  for (const fs::directory_entry& kind : fs::directory_iterator(directory / "refs", error)) {
    const std::string name = kind.path().filename().string();
    if (name != "heads" && name != "tags") {
      found.push_back(kind.path());
      continue;
    }
    for (const fs::directory_entry& entry : fs::directory_iterator(kind.path(), error))
      found.push_back(entry.path());
  }
  return found;
}

}  // namespace

std::size_t replace_refs(git_repository* mirror, const fs::path& directory, const RefTargets& targets,
                         const std::function<bool(const std::string& name)>& is_ours, bool durable) {
  const RefTargets old = refs_of(mirror);
  RefTargets next = targets;
  for (const auto& [name, id] : old) {
    if (!is_ours(name)) next.emplace(name, id);
  }
  std::size_t changed = 0;
  for (const auto& [name, id] : next) {
    const auto known = old.find(name);
    if (known == old.end() || known->second != id) ++changed;
  }
  for (const auto& [name, id] : old) changed += next.contains(name) ? 0U : 1U;
  const std::vector<fs::path> loose = loose_refs(directory);
  if (changed == 0 && loose.empty()) return 0;
  const Objects objects = objects_of(mirror);
  std::string text = "# pack-refs with: peeled fully-peeled sorted \n";
  for (const auto& [name, id] : next) {
    text += id + " " + name + "\n";
    if (const std::string peeled = peeled_id(mirror, objects.get(), name, id); !peeled.empty())
      text += "^" + peeled + "\n";
  }
  write_file_atomic(directory / "packed-refs", text, 0644, durable);
  failpoint("mirror.refs");
  // A mirror of an earlier version, or what somebody wrote by hand.
  for (const fs::path& path : loose) remove_tree(path);
  return changed;
}

}  // namespace runner::git
