#include "pipelines/predefined.h"

#include <string>
#include <utility>

#include "runner/base/text.h"

namespace runner::pipelines {
namespace {

/// The version of the dialect that templates may compare with.
constexpr std::string_view kDialectVersion = "18.0.0";

class Definitions {
 public:
  explicit Definitions(VariableSource source) : source_(source) {}
  void add(std::string_view name, std::string_view value) {
    Variable& made = list_.emplace_back();
    made.name = name;
    made.value = value;
    made.source = source_;
    made.raw = true;  // data such as a commit message must not be taken for references
  }
  void add_if(bool condition, std::string_view name, std::string_view value) {
    if (condition) add(name, value);
  }
  std::vector<Variable> take() { return std::move(list_); }

 private:
  VariableSource source_;
  std::vector<Variable> list_;
};

void add_commit(Definitions& out, const PipelineFacts& facts) {
  out.add("CI_COMMIT_SHA", facts.sha);
  out.add("CI_COMMIT_SHORT_SHA", std::string_view(facts.sha).substr(0, 8));
  out.add("CI_COMMIT_BEFORE_SHA", facts.before_sha.empty() ? std::string(40, '0') : facts.before_sha);
  out.add("CI_COMMIT_REF_NAME", facts.ref_name);
  out.add("CI_COMMIT_REF_SLUG", slug63(facts.ref_name));
  out.add("CI_COMMIT_REF_PROTECTED", facts.ref_protected ? "true" : "false");
  out.add_if(facts.ref_kind == RefKind::branch, "CI_COMMIT_BRANCH", facts.ref_name);
  out.add_if(facts.ref_kind == RefKind::tag, "CI_COMMIT_TAG", facts.ref_name);
  out.add_if(facts.ref_kind == RefKind::tag, "CI_COMMIT_TAG_MESSAGE", facts.tag_message);
  const std::string_view message = facts.commit_message;
  const std::size_t line_end = std::min(message.find('\n'), message.size());
  const std::string_view title = message.substr(0, line_end);
  const std::string_view rest = message.substr(std::min(line_end + 1, message.size()));
  out.add("CI_COMMIT_MESSAGE", message);
  out.add("CI_COMMIT_TITLE", title);
  out.add("CI_COMMIT_DESCRIPTION", title.size() >= 100 ? message : trim(rest));
  out.add("CI_COMMIT_AUTHOR", facts.commit_author);
  out.add("CI_COMMIT_TIMESTAMP", facts.commit_timestamp);
  out.add("CI_DEFAULT_BRANCH", facts.default_branch);
  out.add("CI_DEFAULT_BRANCH_SLUG", slug63(facts.default_branch));
}

void add_project(Definitions& out, const PipelineFacts& facts) {
  const std::string_view path = facts.project_path;
  const std::size_t last = path.rfind('/');
  const std::string_view name = last == std::string_view::npos ? path : path.substr(last + 1);
  const std::string_view space = last == std::string_view::npos ? "" : path.substr(0, last);
  out.add("CI_PROJECT_ID", std::to_string(facts.project_id));
  out.add("CI_PROJECT_NAME", name);
  out.add("CI_PROJECT_TITLE", facts.project_title.empty() ? name : facts.project_title);
  out.add("CI_PROJECT_DESCRIPTION", "");
  out.add("CI_PROJECT_PATH", path);
  out.add("CI_PROJECT_PATH_SLUG", slug63(path));
  out.add("CI_PROJECT_NAMESPACE", space);
  out.add("CI_PROJECT_NAMESPACE_ID", "1");
  out.add("CI_PROJECT_NAMESPACE_SLUG", slug63(space));
  out.add("CI_PROJECT_ROOT_NAMESPACE", space.substr(0, space.find('/')));
  out.add("CI_PROJECT_URL", facts.project_url);
  out.add("CI_PROJECT_VISIBILITY", "private");
  out.add("CI_PROJECT_REPOSITORY_LANGUAGES", "");
  out.add("CI_PROJECT_CLASSIFICATION_LABEL", "");
}

void add_server(Definitions& out, const PipelineFacts& facts) {
  std::string_view url = facts.server_url;
  while (url.ends_with('/')) url.remove_suffix(1);
  const std::size_t scheme_end = url.find("://");
  const std::string_view scheme = scheme_end == std::string_view::npos ? "http" : url.substr(0, scheme_end);
  std::string_view authority = scheme_end == std::string_view::npos ? url : url.substr(scheme_end + 3);
  authority = authority.substr(0, authority.find('/'));
  const std::size_t colon = authority.rfind(':');
  const bool has_port =
      colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos;
  const std::string_view usual = scheme == "https" ? "443" : "80";
  const std::string_view host = has_port ? authority.substr(0, colon) : authority;
  const std::string_view port = has_port ? authority.substr(colon + 1) : usual;
  out.add("CI_SERVER_HOST", host);
  out.add("CI_SERVER_PORT", port);
  out.add("CI_SERVER_PROTOCOL", scheme);
  out.add("CI_SERVER_FQDN", port == usual ? std::string(host) : std::string(host) + ":" + std::string(port));
  out.add("CI_SERVER_URL", url);
  out.add("CI_SERVER_NAME", "runner");
  out.add("CI_SERVER_VERSION", kDialectVersion);
  out.add("CI_SERVER_VERSION_MAJOR", "18");
  out.add("CI_SERVER_VERSION_MINOR", "0");
  out.add("CI_SERVER_VERSION_PATCH", "0");
  out.add("CI_SERVER_REVISION", "");
  out.add("CI_API_V4_URL", std::string(url) + "/api/v4");
  out.add("CI_API_GRAPHQL_URL", std::string(url) + "/api/graphql");
  out.add("CI_TEMPLATE_REGISTRY_HOST", "registry.gitlab.com");
}

}  // namespace

std::vector<Variable> pipeline_predefined(const PipelineFacts& facts) {
  Definitions out(VariableSource::predefined);
  out.add("CI", "true");
  out.add("GITLAB_CI", "true");
  out.add("GITLAB_FEATURES", "");
  out.add("CI_PIPELINE_SOURCE", facts.source);
  out.add("CI_PIPELINE_CREATED_AT", format_iso8601(facts.created_at));
  out.add("CI_CONFIG_PATH", facts.config_path);
  add_commit(out, facts);
  add_project(out, facts);
  add_server(out, facts);
  for (const auto& [name, value] : facts.extra_predefined) out.add(name, value);
  return out.take();
}

std::vector<Variable> creation_predefined(const PipelineFacts& facts, std::string_view pipeline_name) {
  Definitions out(VariableSource::predefined);
  out.add("CI_PIPELINE_IID", std::to_string(facts.pipeline_iid));
  out.add_if(facts.source == "trigger", "CI_PIPELINE_TRIGGERED", "true");
  out.add_if(!pipeline_name.empty(), "CI_PIPELINE_NAME", pipeline_name);
  std::vector<Variable> all = out.take();
  if (facts.user_id == 0) return all;
  Definitions user(VariableSource::user);
  user.add("GITLAB_USER_ID", std::to_string(facts.user_id));
  user.add("GITLAB_USER_LOGIN", facts.user_login);
  user.add("GITLAB_USER_NAME", facts.user_name);
  user.add("GITLAB_USER_EMAIL", facts.user_email);
  for (Variable& one : user.take()) all.push_back(std::move(one));
  return all;
}

std::vector<Variable> job_predefined(const PlanJob& job) {
  Definitions out(VariableSource::predefined);
  out.add("CI_JOB_NAME", job.name);
  out.add("CI_JOB_NAME_SLUG", slug63(job.name));
  out.add("CI_JOB_GROUP_NAME", job.group_name);
  out.add("CI_JOB_STAGE", job.stage);
  out.add_if(job.node_index > 0, "CI_NODE_INDEX", std::to_string(job.node_index));
  out.add("CI_NODE_TOTAL", std::to_string(job.node_total));
  std::vector<Variable> all = out.take();
  if (job.image) {
    Variable& image = all.emplace_back();  // the one that is expanded: the name may hold variables
    image.name = "CI_JOB_IMAGE";
    image.value = job.image->name;
  }
  return all;
}

std::vector<Variable> environment_predefined(const EnvironmentSpec& environment) {
  Definitions out(VariableSource::predefined);
  out.add("CI_ENVIRONMENT_NAME", environment.name);
  out.add("CI_ENVIRONMENT_SLUG", environment.slug);
  out.add("CI_ENVIRONMENT_ACTION", environment.action);
  out.add("CI_ENVIRONMENT_TIER", environment.tier);
  std::vector<Variable> all = out.take();
  if (!environment.url.empty()) {
    Variable& url = all.emplace_back();
    url.name = "CI_ENVIRONMENT_URL";
    url.value = environment.url;
  }
  return all;
}

VariableSet include_variables(const PipelineFacts& facts) {
  VariableSet set(pipeline_predefined(facts));
  for (const Variable& variable : facts.variables)
    if (variable.environment_scope == "*") set.add(variable);
  return set;
}

}  // namespace runner::pipelines
