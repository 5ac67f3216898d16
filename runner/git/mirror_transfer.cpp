#include "runner/git/mirror_transfer.h"

#include <fcntl.h>
#include <git2.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <set>
#include <system_error>

#include "runner/base/error.h"
#include "runner/base/failpoint.h"
#include "runner/base/files.h"
#include "runner/base/text.h"
#include "runner/git/git_handles.h"
#include "runner/git/local_refs.h"
#include "runner/git/smart_remote.h"

namespace runner::git {
namespace fs = std::filesystem;
namespace {

struct RefspecFree {
  void operator()(git_refspec* refspec) const noexcept { git_refspec_free(refspec); }
};
using Refspec = std::unique_ptr<git_refspec, RefspecFree>;

struct OdbFree {
  void operator()(git_odb* odb) const noexcept { git_odb_free(odb); }
};
using Odb = std::unique_ptr<git_odb, OdbFree>;

std::vector<Refspec> parse(const std::vector<std::string>& texts) {
  std::vector<Refspec> parsed;
  for (const std::string& text : texts) {
    git_refspec* made = nullptr;
    if (git_refspec_parse(&made, text.c_str(), 1) != 0)
      throw Error(ErrorCode::invalid_input,
                  in_quotes(text) + " is no refspec; write it as '+refs/heads/*:refs/heads/*'");
    parsed.emplace_back(made);
  }
  return parsed;
}

Odb objects_of(git_repository* mirror) {
  git_odb* odb = nullptr;
  check(git_repository_odb(&odb, mirror), "cannot open the objects of the mirror");
  return Odb(odb);
}

RefTargets targets_of(const RemoteRefs& there, const std::vector<Refspec>& refspecs) {
  RefTargets targets;
  for (const RemoteRef& ref : there.refs) {
    for (const Refspec& refspec : refspecs) {
      if (git_refspec_src_matches(refspec.get(), ref.name.c_str()) == 0) continue;
      git_buf name = GIT_BUF_INIT;
      int valid = 0;
      // The names are the server's, and are written into a file of lines.
      if (git_refspec_transform(&name, refspec.get(), ref.name.c_str()) == 0 &&
          git_reference_name_is_valid(&valid, name.ptr) == 0 && valid != 0)
        targets[name.ptr] = ref.id;
      git_buf_dispose(&name);
    }
  }
  return targets;
}

bool has(git_odb* odb, const std::string& id_text) {
  git_oid id;
  return git_oid_fromstr(&id, id_text.c_str()) == 0 && git_odb_exists(odb, &id) != 0;
}

bool has_all(git_repository* mirror, const RefTargets& targets) {
  const Odb odb = objects_of(mirror);
  return std::all_of(targets.begin(), targets.end(),
                     [&](const auto& one) { return has(odb.get(), one.second); });
}

bool has_any(git_repository* mirror, const RefTargets& targets) {
  const Odb odb = objects_of(mirror);
  return std::any_of(targets.begin(), targets.end(),
                     [&](const auto& one) { return has(odb.get(), one.second); });
}

/// What refs of the mirror name. A ref is written once everything it reaches is there; an object alone proves
/// nothing after links, which are made one by one: whoever made them may have been killed, and a commit that
/// came while they were made may be there without its tree.
std::set<std::string> named_by_refs(git_repository* mirror) {
  std::set<std::string> named;
  Handle<git_reference_iterator> all;
  check(git_reference_iterator_new(Out(all), mirror), "cannot list the refs of the mirror");
  for (;;) {
    Handle<git_reference> reference;
    const int result = git_reference_next(Out(reference), all.get());
    if (result == GIT_ITEROVER) return named;
    check(result, "cannot read the refs of the mirror");
    if (const git_oid* id = git_reference_target(reference.get())) named.insert(hex_of(id));
  }
}

/// Those that no ref of the mirror names yet.
RefTargets news_among(RefTargets targets, git_repository* mirror) {
  const std::set<std::string> named = named_by_refs(mirror);
  std::erase_if(targets, [&](const auto& target) { return named.contains(target.second); });
  return targets;
}

UniqueFd open_to_sync(const fs::path& path) {
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) throw_errno("cannot open " + in_quotes(path.native()));
  return file;
}

void sync_to_disk(const fs::path& path) {
  if (::fsync(open_to_sync(path).get()) != 0) throw_errno("cannot write out " + in_quotes(path.native()));
}

std::set<std::string> names_in(const fs::path& directory) {
  std::set<std::string> names;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory, error))
    names.insert(entry.path().filename().string());
  return names;
}

class Transfer {
 public:
  Transfer(git_repository* mirror, const fs::path& directory, const FetchRequest& request)
      : mirror_(mirror), directory_(directory), request_(request), refspecs_(parse(request.refspecs)) {}

  FetchResult run(const RemoteUrl& url) {
    Patience patience(request_.limits, request_.stop);
    static_cast<void>(patience.left());  // throws when it was stopped before
    // With libgit2 a local repository is asked only when something is to come from it.
    const bool local = url.scheme == Scheme::local;
    LocalSource source;
    RemoteUrl from = url;
    if (local) {
      source = read_local_source(url.path);
      from.path = source.git_dir;
    }
    SmartRemote remote(mirror_, from, request_.access, patience);
    const RemoteRefs there = local ? std::move(source.refs) : remote.connect();
    const RefTargets targets = targets_of(there, refspecs_);
    const std::set<std::string> packs = names_in(directory_ / "objects/pack");
    const bool cut = source.is_shallow || !read_file(directory_ / "shallow").value_or("").empty();
    const RefTargets news = local ? news_among(targets, mirror_) : RefTargets();
    if (cut || (local ? !news.empty() : !has_all(mirror_, targets))) {
      // libgit2 packs what it takes from a directory, on one thread: seconds for what links take at once.
      // Later fetches bring little, and their packs hold no more than that. It knows no history that is cut
      // off. Nor does it ask for objects that are there.
      if (local && (cut || packs.empty() || has_any(mirror_, news))) {
        link(source.git_dir);
      } else {
        if (local) remote.connect();
        result_.bytes = remote.download(request_.refspecs, request_.progress);
      }
    }
    static_cast<void>(patience.left());
    failpoint("mirror.downloaded");
    write_out(packs);
    result_.changed_refs = replace_refs(
        mirror_, directory_, targets,
        [&](const std::string& name) {
          return std::any_of(refspecs_.begin(), refspecs_.end(), [&](const Refspec& refspec) {
            return git_refspec_dst_matches(refspec.get(), name.c_str()) != 0;
          });
        },
        true);
    note_default_branch(there.default_branch);
    return result_;
  }

 private:
  void link(const fs::path& git_dir) {
    link_repository(git_dir, directory_, {.own_only = true});
    failpoint("mirror.linked");
    linked_ = true;
    check(git_odb_refresh(objects_of(mirror_).get()), "cannot read the objects of the mirror");
  }

  /// Refs must not reach the disk before what they name.
  void write_out(const std::set<std::string>& known) const {
    const fs::path packs = directory_ / "objects/pack";
    if (linked_) {  // thousands of files, perhaps
      if (::syncfs(open_to_sync(packs).get()) != 0)
        throw_errno("cannot write out " + in_quotes(packs.native()));
      return;
    }
    bool any = false;
    for (const std::string& name : names_in(packs)) {
      if (known.contains(name)) continue;
      sync_to_disk(packs / name);
      any = true;
    }
    if (any) sync_to_disk(packs);
  }

  void note_default_branch(const std::string& name) const {
    if (name.empty()) return;
    const std::string text = "ref: refs/heads/" + name + "\n";
    if (read_file(directory_ / "HEAD") != text) write_file_atomic(directory_ / "HEAD", text, 0644, true);
  }

  git_repository* mirror_;
  const fs::path& directory_;
  const FetchRequest& request_;
  const std::vector<Refspec> refspecs_;
  bool linked_ = false;
  FetchResult result_;
};

}  // namespace

FetchResult transfer(git_repository* mirror, const fs::path& directory, const RemoteUrl& url,
                     const FetchRequest& request) {
  return Transfer(mirror, directory, request).run(url);
}

}  // namespace runner::git
