#include "runner/git/git_directory.h"

#include <git2.h>
#include <sys/stat.h>

#include <algorithm>
#include <deque>
#include <set>

#include "runner/base/digest.h"
#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/text.h"
#include "runner/git/git_handles.h"
#include "runner/git/remote_url.h"
#include "runner/git/tree_diff.h"

namespace runner::git {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kHeads = "refs/heads/", kTags = "refs/tags/", kOrigin = "refs/remotes/origin/";

std::string config_of(const GitDirectoryRequest& request) {
  // Git is to believe the times and sizes in the index, which are those of the layers, and nothing else that
  // a mount changes. Files were written without regard to the machine's autocrlf.
  std::string text =
      "[core]\n\trepositoryformatversion = 0\n\tfilemode = true\n\tbare = false\n\tlogallrefupdates = true\n"
      "\tcheckStat = minimal\n\tautocrlf = false\n\tfsmonitor = false\n";
  if (!request.work_tree.empty()) text += "\tworktree = " + config_quoted(request.work_tree) + "\n";
  text += "[gc]\n\tauto = 0\n[maintenance]\n\tauto = false\n";
  if (!request.origin_url.empty()) {
    text += "[remote \"origin\"]\n\turl = " + config_quoted(without_credentials(request.origin_url)) +
            "\n\tfetch = +refs/heads/*:refs/remotes/origin/*\n";
    // Git quotes it when somebody tries.
    if (!request.may_push) text += "\tpushurl = this-repository-has-no-remote\n";
  }
  if (request.lfs) {
    text +=
        "[filter \"lfs\"]\n\tclean = git-lfs clean -- %f\n\tsmudge = git-lfs smudge -- %f\n"
        "\tprocess = git-lfs filter-process\n\trequired = true\n";
  }
  return text + request.more_config;
}

/// The name under which a fetch keeps a ref of the remote.
std::string kept_as(std::string_view ref) {
  if (!ref.starts_with(kHeads)) return std::string(ref);
  return std::string(kOrigin).append(ref.substr(kHeads.size()));
}

bool is_plain_ref(std::string_view ref) {
  int valid = 0;
  return ref.starts_with("refs/") && git_reference_name_is_valid(&valid, std::string(ref).c_str()) == 0 &&
         valid == 1;
}

std::vector<std::pair<std::string, std::string>> refs_of(const Mirror& mirror,
                                                         const GitDirectoryRequest& request) {
  std::vector<std::pair<std::string, std::string>> refs;
  const auto add = [&](std::string name, std::string id) {
    const bool known =
        std::any_of(refs.begin(), refs.end(), [&](const auto& ref) { return ref.first == name; });
    if (!known) refs.emplace_back(std::move(name), std::move(id));
  };
  if (is_plain_ref(request.ref)) {
    std::string id = request.commit;
    if (request.ref.starts_with(kTags)) {
      // An annotated tag is an object of its own.
      for (auto& [name, target] : mirror.refs(request.ref)) {
        if (name == request.ref && mirror.resolve(target) == request.commit) id = target;
      }
    }
    add(kept_as(request.ref), std::move(id));
  }
  if (request.depth == 0) {
    std::set<std::string> known;
    for (const auto& ref : refs) known.insert(ref.first);
    for (const std::string_view prefix : {kHeads, kTags}) {
      for (auto& [name, id] : mirror.refs(prefix)) {
        if (known.insert(kept_as(name)).second) refs.emplace_back(kept_as(name), std::move(id));
      }
    }
  }
  if (!request.attached_branch.empty()) add(std::string(kHeads) + request.attached_branch, request.commit);
  std::sort(refs.begin(), refs.end());
  return refs;
}

void write_plain(const fs::path& path, std::string_view content) {
  write_file_atomic(path, content, 0644, false);
}

void make_directory(const fs::path& path) {
  if (::mkdir(path.c_str(), 0755) != 0 || ::chmod(path.c_str(), 0755) != 0)
    throw_errno("cannot make directory " + in_quotes(path.native()));
}

}  // namespace

std::string config_quoted(std::string_view value) {
  std::string text = "\"";
  for (const char c : value) {
    if (c == '\n') {
      text += "\\n";
      continue;
    }
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  return text + '"';
}

std::vector<std::string> shallow_commits(const Mirror& mirror, std::string_view commit, std::size_t depth) {
  std::set<std::string> ends;
  const std::string shallow = read_file(mirror.directory() / "shallow").value_or("");
  for (const std::string_view line : split(shallow, '\n')) {
    if (!trim(line).empty()) ends.emplace(trim(line));
  }
  if (depth == 0) return {ends.begin(), ends.end()};
  struct Step {
    git_oid id;
    std::size_t depth;
  };
  const auto less = [](const git_oid& one, const git_oid& other) { return git_oid_cmp(&one, &other) < 0; };
  std::set<git_oid, decltype(less)> seen(less);
  std::deque<Step> queue = {{to_oid(parse_id(commit)), 1}};
  seen.insert(queue.front().id);
  std::vector<std::string> found;
  for (; !queue.empty(); queue.pop_front()) {
    const Step step = queue.front();
    const std::string name = to_hex(to_id(step.id));
    if (step.depth == depth || ends.contains(name)) {
      found.push_back(name);
      continue;
    }
    Handle<git_commit> at;
    check(git_commit_lookup(Out(at), mirror.handle(), &step.id), "cannot read commit " + name);
    for (unsigned i = 0; i < git_commit_parentcount(at.get()); ++i) {
      const git_oid& parent = *git_commit_parent_id(at.get(), i);
      if (seen.insert(parent).second) queue.push_back({parent, step.depth + 1});
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

GitDirectory describe_git_directory(const Mirror& mirror, const GitDirectoryRequest& request) {
  GitDirectory description;
  description.head = request.attached_branch.empty()
                         ? request.commit
                         : "ref: " + std::string(kHeads) + request.attached_branch;
  description.refs = refs_of(mirror, request);
  description.shallow = shallow_commits(mirror, request.commit, request.depth);
  description.config = config_of(request);
  description.alternates = (mirror.directory() / "objects").string();
  return description;
}

std::string fingerprint(const GitDirectory& description) {
  std::string all = "2\n" + description.head + "\n" + description.alternates + "\n" + description.config;
  for (const auto& [name, id] : description.refs) all.append(id).append(" ").append(name).append("\n");
  for (const std::string& id : description.shallow) all.append(id).append("\n");
  return sha256_hex(all);
}

void write_git_directory(const GitDirectory& description, const fs::path& directory) {
  make_directory(directory);
  for (const char* name :
       {"hooks", "info", "objects", "objects/info", "objects/pack", "refs", "refs/heads", "refs/tags"}) {
    make_directory(directory / name);
  }
  write_plain(directory / "HEAD", description.head + "\n");
  write_plain(directory / "config", description.config);
  const bool special =
      description.alternates.find('\n') != std::string::npos || description.alternates.front() == '"';
  write_plain(directory / "objects/info/alternates",
              (special ? config_quoted(description.alternates) : description.alternates) + "\n");
  std::string packed = "# pack-refs with: sorted \n";
  for (const auto& [name, id] : description.refs) packed.append(id).append(" ").append(name).append("\n");
  write_plain(directory / "packed-refs", packed);
  if (description.shallow.empty()) return;
  std::string shallow;
  for (const std::string& id : description.shallow) shallow.append(id).append("\n");
  write_plain(directory / "shallow", shallow);
}

}  // namespace runner::git
