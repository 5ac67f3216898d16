#include "runner/git/head_facts.h"

#include <git2.h>

#include <array>
#include <cstdlib>
#include <ctime>

#include "runner/git/git_handles.h"
#include "runner/git/remote_url.h"

namespace runner::git {
namespace {

constexpr std::string_view kHeads = "refs/heads/";
constexpr std::string_view kOrigin = "refs/remotes/origin/";

/// The date with the offset it was made with.
std::string iso8601(const git_time& when) {
  const std::time_t shifted = when.time + std::time_t{when.offset} * 60;
  std::tm parts{};
  if (::gmtime_r(&shifted, &parts) == nullptr) return {};
  std::array<char, 64> text{};
  const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::array<char, 16> offset{};
  const int minutes = std::abs(when.offset);
  std::snprintf(offset.data(), offset.size(), "%c%02d:%02d", when.offset < 0 ? '-' : '+', minutes / 60 % 100,
                minutes % 60);
  return std::string(text.data(), length) + offset.data();
}

std::string config_text(git_config* config, const char* name) {
  git_buf buffer = GIT_BUF_INIT;
  std::string text;
  if (config != nullptr && git_config_get_string_buf(&buffer, config, name) == 0) text = buffer.ptr;
  git_buf_dispose(&buffer);
  return text;
}

bool has_ref(git_repository* repository, const std::string& name) {
  git_oid id;
  return git_reference_name_to_id(&id, repository, name.c_str()) == 0;
}

/// What a symbolic ref points at; empty when it is missing or direct.
std::string target_of(git_repository* repository, const char* name) {
  Handle<git_reference> reference;
  if (git_reference_lookup(Out(reference), repository, name) != 0) return {};
  const char* target = git_reference_symbolic_target(reference.get());
  return target == nullptr ? std::string() : target;
}

std::string default_branch(git_repository* repository, git_config* config, const std::string& current) {
  const std::string remote = target_of(repository, "refs/remotes/origin/HEAD");
  if (remote.starts_with(kOrigin)) return remote.substr(kOrigin.size());
  for (const char* name : {"main", "master"}) {
    if (has_ref(repository, std::string(kHeads) + name) || has_ref(repository, std::string(kOrigin) + name)) {
      return name;
    }
  }
  if (std::string configured = config_text(config, "init.defaultbranch"); !configured.empty())
    return configured;
  return current.empty() ? "main" : current;
}

void read_commit(git_repository* repository, LocalFacts& facts, const std::string& given) {
  git_oid id;
  const int result =
      given.empty() ? git_reference_name_to_id(&id, repository, "HEAD") : git_oid_fromstr(&id, given.c_str());
  if (result == GIT_ENOTFOUND || result == GIT_EUNBORNBRANCH) return;  // no commit yet
  check(result, "cannot read HEAD");
  Handle<git_commit> commit;
  check(git_commit_lookup(Out(commit), repository, &id), "cannot read the commit at HEAD");
  facts.sha = hex_of(&id);
  if (const char* message = git_commit_message(commit.get()); message != nullptr)
    facts.commit_message = message;
  if (const git_signature* author = git_commit_author(commit.get()); author != nullptr) {
    facts.commit_author = std::string(author->name) + " <" + author->email + ">";
  }
  if (const git_signature* committer = git_commit_committer(commit.get()); committer != nullptr) {
    facts.commit_timestamp = iso8601(committer->when);
  }
}

/// The tag that HEAD is at; of several an annotated one, then the last by name.
void read_tag(git_repository* repository, LocalFacts& facts) {
  Handle<git_reference_iterator> tags;
  check(git_reference_iterator_glob_new(Out(tags), repository, "refs/tags/*"), "cannot list the tags");
  bool annotated = false;
  for (;;) {
    Handle<git_reference> reference;
    if (git_reference_next(Out(reference), tags.get()) != 0) return;
    Handle<git_object> target;
    Handle<git_object> commit;
    if (git_reference_peel(Out(commit), reference.get(), GIT_OBJECT_COMMIT) != 0) continue;
    if (hex_of(git_object_id(commit.get())) != facts.sha) continue;
    const bool is_object = git_reference_peel(Out(target), reference.get(), GIT_OBJECT_TAG) == 0;
    const std::string name = git_reference_shorthand(reference.get());
    if (annotated && !is_object) continue;
    if (annotated == is_object && name < facts.tag) continue;
    annotated = is_object;
    facts.tag = name;
    facts.tag_message.clear();
    if (!is_object) continue;
    const char* message = git_tag_message(reinterpret_cast<const git_tag*>(target.get()));
    if (message != nullptr) facts.tag_message = message;
  }
}

/// The branch a commit is taken to be of; empty: none.
std::string branch_of(git_repository* repository, const std::string& commit, const std::string& revision,
                      const std::string& current) {
  std::string name = revision.starts_with(kHeads) ? revision.substr(kHeads.size()) : revision;
  if (has_ref(repository, std::string(kHeads) + name)) return name;
  if (name.starts_with("origin/") && has_ref(repository, "refs/remotes/" + name)) return name.substr(7);
  if (has_ref(repository, "refs/tags/" + name) || name.starts_with("refs/tags/") || current.empty())
    return {};
  git_oid head, id;
  const bool known =
      git_reference_name_to_id(&head, repository, "HEAD") == 0 && git_oid_fromstr(&id, commit.c_str()) == 0;
  const bool of_current =
      known && (git_oid_equal(&head, &id) != 0 || git_graph_descendant_of(repository, &head, &id) == 1);
  return of_current ? current : std::string();
}

}  // namespace

LocalFacts read_head_facts(git_repository* repository, const std::string& commit,
                           const std::string& revision) {
  LocalFacts facts;
  Handle<git_config> config;
  check(git_repository_config_snapshot(Out(config), repository), "cannot read the git configuration");
  const std::string head = target_of(repository, "HEAD");
  if (head.starts_with(kHeads)) facts.branch = head.substr(kHeads.size());
  if (!commit.empty()) facts.branch = branch_of(repository, commit, revision, facts.branch);
  read_commit(repository, facts, commit);
  if (facts.branch.empty() && !facts.sha.empty()) read_tag(repository, facts);
  facts.default_branch = default_branch(repository, config.get(), facts.branch);
  facts.user_name = config_text(config.get(), "user.name");
  facts.user_email = config_text(config.get(), "user.email");
  const std::string url = config_text(config.get(), "remote.origin.url");
  facts.origin_url = without_credentials(url);
  facts.project_path = project_path_of(facts.origin_url);
  facts.shallow = git_repository_is_shallow(repository) == 1;
  return facts;
}

}  // namespace runner::git
