#include "runner/api/project_fields.h"

#include <algorithm>

#include "runner/api/json_input.h"
#include "runner/api/project_checks.h"
#include "runner/base/text.h"
#include "runner/forge/forge.h"
#include "runner/git/remote_url.h"
#include "runner/storage/credential_table.h"

namespace runner::api {
namespace {

using storage::CredentialKind;

constexpr std::size_t kLongestText = 4096;
constexpr std::size_t kLongestUser = 256;
constexpr std::size_t kLongestSecret = 64U << 10U;
constexpr std::size_t kMostPatterns = 100;
constexpr std::int64_t kWeek = 7L * 24 * 3600;

void check_patterns(JsonInput& input, const std::string& field,
                    const std::optional<std::vector<std::string>>& patterns) {
  for (std::size_t at = 0; patterns && at < patterns->size(); ++at) {
    if ((*patterns)[at].empty() || has_control((*patterns)[at]))
      input.complain(field + "[" + std::to_string(at) + "]", "may not be empty or have control characters");
  }
}

void check_place(JsonInput& input, const ProjectFields& fields) {
  const auto check = [&](const char* field, const std::optional<std::string>& value, auto problem_of) {
    const std::string problem = value ? problem_of(*value) : std::string();
    if (!problem.empty()) input.complain(field, problem);
  };
  check("name", fields.name,
        [](const std::string& name) { return storage::project_name_problem(name).value_or(""); });
  check("url", fields.url, url_problem);
  check("pipeline_file", fields.pipeline_file, file_problem);
  check_patterns(input, "branches", fields.branches);
  check_patterns(input, "tags", fields.tags);
  check("forge", fields.forge, [](const std::string& name) {
    return name.empty() || forge::parse_forge_kind(name)
               ? std::string()
               : "must be github, gitlab, gitea (Forgejo, too), none, or null: as the address says";
  });
  check("forge_api", fields.forge_api,
        [](const std::string& api) { return api.empty() ? std::string() : forge::api_problem(api); });
  check("forge_repository", fields.forge_repository, [](const std::string& name) {
    return name.empty() ? std::string() : forge::repository_problem(name);
  });
}

void check_credentials(JsonInput& input, const ProjectFields& fields, ProjectForm form) {
  const auto given = [](const std::optional<std::string>& value) { return value && !value->empty(); };
  if (given(fields.token) && given(fields.ssh_key))
    input.complain("ssh_key", "a project has a token or a key, not both");
  if (form == ProjectForm::creation && given(fields.username) && !given(fields.token) &&
      !given(fields.ssh_key))
    input.complain("username", "goes with a 'token' or an 'ssh_key', and there is none");
  if (fields.username && has_control(*fields.username))
    input.complain("username", "may not have control characters");
  if (given(fields.token) && has_control(*fields.token))
    input.complain("token", "may not have line breaks or other control characters");
  if (given(fields.forge_token) && has_control(*fields.forge_token))
    input.complain("forge_token", "may not have line breaks or other control characters");
  if (given(fields.ssh_key) && !key_problem(*fields.ssh_key).empty())
    input.complain("ssh_key", key_problem(*fields.ssh_key));
}

/// Of one kind, or of all that fetch with.
void remove_credentials(storage::Credentials& credentials, std::int64_t project,
                        std::initializer_list<CredentialKind> kinds) {
  for (const auto& each : credentials.of_project(project)) {
    if (std::find(kinds.begin(), kinds.end(), each.kind) != kinds.end()) credentials.remove(each.id);
  }
}

/// The name alone changes: the row is written anew, as what is sealed is bound to it.
void rename_user(storage::Credentials& credentials, std::int64_t project, const std::string& username) {
  bool found = false;
  for (const auto& each : credentials.of_project(project)) {
    if (!opens_repository(each.kind)) continue;
    found = true;
    if (each.username == username) continue;
    const auto secret = credentials.open(each.id);
    credentials.remove(each.id);
    storage::CredentialRecord next = each;
    next.username = username;
    credentials.insert(next, secret->text());
  }
  if (!found && !username.empty())
    refuse_field("username", "goes with a 'token' or an 'ssh_key', and the project has none");
}

}  // namespace

void ProjectFields::apply(storage::ProjectRecord& project) const {
  if (url) project.url = *url;
  if (pipeline_file) project.pipeline_file = *pipeline_file;
  if (branches) project.branches = *branches;
  if (tags) project.tags = *tags;
  if (poll_interval) project.poll_interval = *poll_interval;
  if (paused) project.paused = *paused;
  if (forge) project.forge = *forge;
  if (forge_api) project.forge_api = *forge_api;
  if (forge_repository) project.forge_repository = *forge_repository;
  if (merge_requests) project.merge_requests = *merge_requests;
  if (priority) project.priority = *priority;
}

std::vector<std::string> ProjectFields::given() const {
  std::vector<std::string> names;
  const auto add = [&](const char* field, bool is_given) {
    if (is_given) names.emplace_back(field);
  };
  add("url", url.has_value());
  add("branches", branches.has_value());
  add("tags", tags.has_value());
  add("pipeline_file", pipeline_file.has_value());
  add("poll_interval_seconds", poll_interval.has_value());
  add("paused", paused.has_value());
  add("username", username.has_value());
  add("token", token.has_value());
  add("ssh_key", ssh_key.has_value());
  add("webhook_secret", webhook_secret.has_value());
  add("forge", forge.has_value());
  add("forge_api", forge_api.has_value());
  add("forge_repository", forge_repository.has_value());
  add("forge_token", forge_token.has_value());
  add("merge_requests", merge_requests.has_value());
  add("priority", priority.has_value());
  return names;
}

void ProjectFields::apply_credentials(storage::Tx& tx, const storage::Sealer& sealer, std::int64_t project,
                                      TimePoint now) const {
  storage::Credentials credentials(tx, sealer);
  std::string user = username.value_or("");
  if (!username) {  // it stays the same person's when a token takes the place of an old one
    for (const auto& each : credentials.of_project(project)) {
      if (opens_repository(each.kind)) user = each.username;
    }
  }
  const auto insert = [&](CredentialKind kind, const std::string& who, const std::string& secret) {
    credentials.insert({.id = 0, .project = project, .kind = kind, .username = who, .created_at = now},
                       secret);
  };
  const bool new_token = token && !token->empty();
  const bool new_key = ssh_key && !ssh_key->empty();
  if (token || new_key)
    remove_credentials(credentials, project, {CredentialKind::token, CredentialKind::password});
  if (ssh_key || new_token) remove_credentials(credentials, project, {CredentialKind::ssh_key});
  if (new_token) insert(CredentialKind::token, user, *token);
  if (new_key) insert(CredentialKind::ssh_key, user, *ssh_key);
  if (username && !new_token && !new_key) rename_user(credentials, project, *username);
  const auto renew = [&](CredentialKind kind, const std::optional<std::string>& secret) {
    if (!secret) return;
    remove_credentials(credentials, project, {kind});
    if (!secret->empty()) insert(kind, "", *secret);
  };
  renew(CredentialKind::webhook_secret, webhook_secret);
  renew(CredentialKind::forge_token, forge_token);
}

ProjectFields read_project_fields(std::string_view body, ProjectForm form) {
  JsonInput input(body);
  ProjectFields fields;
  if (form == ProjectForm::creation) {
    fields.name = input.text("name", storage::kMaxName);
    input.require("name");
  } else {
    fields.paused = input.flag("paused");
  }
  fields.url = input.text("url", kLongestText);
  if (form == ProjectForm::creation) input.require("url");
  fields.branches = input.texts("branches", kMostPatterns, kLongestUser);
  fields.tags = input.texts("tags", kMostPatterns, kLongestUser);
  fields.pipeline_file = input.text("pipeline_file", kLongestText);
  if (const auto seconds = input.integer("poll_interval_seconds", 0, kWeek))
    fields.poll_interval = std::chrono::seconds(*seconds);
  fields.username = input.text_or_null("username", kLongestUser);
  fields.token = input.text_or_null("token", kLongestSecret);
  fields.ssh_key = input.text_or_null("ssh_key", kLongestSecret);
  fields.webhook_secret = input.text_or_null("webhook_secret", kLongestSecret);
  fields.forge_token = input.text_or_null("forge_token", kLongestSecret);
  fields.forge = input.text_or_null("forge", kLongestUser);
  fields.forge_api = input.text_or_null("forge_api", kLongestText);
  fields.forge_repository = input.text_or_null("forge_repository", kLongestText);
  fields.merge_requests = input.flag("merge_requests");
  fields.priority = input.integer("priority", -storage::kHighestPriority, storage::kHighestPriority);
  check_place(input, fields);
  check_credentials(input, fields, form);
  input.finish();
  return fields;
}

}  // namespace runner::api
