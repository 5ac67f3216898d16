#include "runner/daemon/commit_facts.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "runner/base/text.h"
#include "runner/git/remote_url.h"

namespace runner::daemon {
namespace {

using pipelines::PipelineFacts;
using pipelines::RefKind;
using storage::ProjectRecord;

constexpr std::string_view kBranch = "refs/heads/", kTag = "refs/tags/";

std::string no_commit() {
  return std::string(40, '0');
}

/// Branches that are named without a pattern are those that people look after.
bool is_protected(const ProjectRecord& project, const std::string& ref) {
  return ref.starts_with(kBranch) && std::find(project.branches.begin(), project.branches.end(),
                                               short_ref(ref)) != project.branches.end();
}

/// "https://host[:port]" of a web address, else `otherwise`.
std::string server_of(const std::string& url, const std::string& otherwise) {
  if (!url.starts_with("http://") && !url.starts_with("https://")) return otherwise;
  return url.substr(0, url.find('/', url.find("://") + 3));
}

void set_commit(const git::LocalFacts& known, PipelineFacts& facts) {
  facts.commit_message = known.commit_message;
  facts.commit_author = known.commit_author;
  facts.commit_timestamp = known.commit_timestamp;
  if (facts.ref_kind == RefKind::tag) facts.tag_message = known.tag_message;
  const std::string& author = known.commit_author;
  const std::size_t open = author.rfind('<'), close = author.rfind('>');
  if (open != std::string::npos && close != std::string::npos && close > open) {
    facts.user_name = trim(std::string_view(author).substr(0, open));
    facts.user_email = author.substr(open + 1, close - open - 1);
  }
}

/// Nothing of it is protected: whoever may open one wrote what runs.
void set_merge_request(const ProjectRecord& project, const Trigger& trigger, PipelineFacts& facts) {
  const MergeRequestTrigger& request = *trigger.merge_request;
  facts.ref_kind = RefKind::merge_request;
  facts.ref_protected = false;
  facts.before_sha = no_commit();
  // A branch of a fork may have any name; it must not pass for one of ours.
  if (!request.source_branch.empty()) facts.ref_name = request.source_branch;
  auto& known = facts.extra_predefined;
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) known["CI_MERGE_REQUEST_" + std::string(name)] = value;
  };
  add("IID", std::to_string(request.number));
  add("REF_PATH", trigger.ref);
  add("EVENT_TYPE", "detached");
  add("SOURCE_BRANCH_NAME", request.source_branch);
  add("TARGET_BRANCH_NAME", request.target_branch);
  add("TARGET_BRANCH_PROTECTED",
      is_protected(project, std::string(kBranch) + request.target_branch) ? "true" : "false");
  add("DIFF_BASE_SHA", request.base);
  add("TITLE", request.title);
  add("PROJECT_ID", std::to_string(project.id));
  add("PROJECT_PATH", facts.project_path);
  add("PROJECT_URL", facts.project_url);
}

}  // namespace

std::string short_ref(const std::string& ref) {
  for (const std::string_view prefix : {kBranch, kTag, std::string_view("refs/")}) {
    if (ref.starts_with(prefix)) return ref.substr(prefix.size());
  }
  return ref;
}

PipelineFacts facts_of(const ProjectRecord& project, const git::Mirror& mirror, git::LocalRepository& commit,
                       const Trigger& trigger, const std::string& server_url) {
  PipelineFacts facts;
  facts.source = trigger.source;
  facts.ref_kind = trigger.ref.starts_with(kTag) ? RefKind::tag : RefKind::branch;
  facts.ref_name = short_ref(trigger.ref);
  facts.ref_protected = is_protected(project, trigger.ref);
  facts.sha = trigger.sha;
  facts.before_sha = trigger.before.empty() ? no_commit() : trigger.before;
  if (const std::string branch = mirror.default_branch(); !branch.empty()) facts.default_branch = branch;
  set_commit(commit.facts(), facts);
  facts.project_path = git::project_path_of(project.url);
  if (facts.project_path.empty()) facts.project_path = project.name;
  if (facts.project_path.find('/') == std::string::npos) facts.project_path = "local/" + facts.project_path;
  facts.project_title = project.name;
  facts.server_url = server_of(project.url, server_url);
  facts.project_url = facts.server_url + "/" + facts.project_path;
  facts.repository_url = project.url;
  facts.project_id = project.id;
  facts.config_path = project.pipeline_file;
  facts.user_login = trigger.started_by;
  if (facts.user_name.empty()) facts.user_name = trigger.started_by;
  facts.explain_rules = false;
  facts.extra_predefined = trigger.predefined;
  if (trigger.merge_request) set_merge_request(project, trigger, facts);
  for (const auto& [name, value] : trigger.variables) {
    pipelines::Variable variable;
    variable.name = name;
    variable.value = value;
    variable.source = pipelines::VariableSource::pipeline;
    facts.variables.push_back(std::move(variable));
  }
  return facts;
}

}  // namespace runner::daemon
