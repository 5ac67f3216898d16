#pragma once
// The fields of plans and facts, by their names in frozen text.
//
// Who adds a field adds it here, and keeps its default for good: plans frozen before do not have it. Who
// changes a name, a default or a meaning raises kFrozenFormat (frozen_plan.h) and reads the older ones too.

#include <algorithm>

#include "pipelines/facts.h"
#include "pipelines/field_list.h"
#include "pipelines/plan.h"

namespace runner::pipelines {

inline bool same(const JobIndices& a, const JobIndices& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

template <>
struct Fields<SourceRange> {
  using T = SourceRange;
  static constexpr auto kList =
      fields(field("file", &T::file), field("line", &T::line), field("column", &T::column),
             field("end_line", &T::end_line), field("end_column", &T::end_column));
};

template <>
struct Fields<Variable> {
  using T = Variable;
  static constexpr auto kList =
      fields(field("name", &T::name), field("value", &T::value), field("source", &T::source),
             field("raw", &T::raw), field("masked", &T::masked), field("file", &T::file),
             field("public", &T::is_public), field("environment_scope", &T::environment_scope));
};

template <>
struct Fields<AllowFailure> {
  using T = AllowFailure;
  static constexpr auto kList = fields(field("always", &T::always), field("exit_codes", &T::exit_codes));
};

template <>
struct Fields<Retry> {
  using T = Retry;
  static constexpr auto kList =
      fields(field("max", &T::max), field("when", &T::when), field("exit_codes", &T::exit_codes),
             field("configured", &T::configured));
};

template <>
struct Fields<CacheKey> {
  using T = CacheKey;
  static constexpr auto kList = fields(field("text", &T::text), field("files", &T::files),
                                       field("by_commit", &T::by_commit), field("prefix", &T::prefix));
};

template <>
struct Fields<CacheSpec> {
  using T = CacheSpec;
  static constexpr auto kList =
      fields(field("key", &T::key), field("paths", &T::paths), field("untracked", &T::untracked),
             field("policy", &T::policy), field("when", &T::when), field("fallback_keys", &T::fallback_keys),
             field("unprotect", &T::unprotect));
};

template <>
struct Fields<CoverageReport> {
  using T = CoverageReport;
  static constexpr auto kList = fields(field("format", &T::format), field("path", &T::path));
};

template <>
struct Fields<ArtifactsSpec> {
  using T = ArtifactsSpec;
  static constexpr auto kList =
      fields(field("paths", &T::paths), field("exclude", &T::exclude), field("untracked", &T::untracked),
             field("name", &T::name), field("when", &T::when), field("expire_in", &T::expire_in),
             field("never_expires", &T::never_expires), field("expose_as", &T::expose_as),
             field("access", &T::access), field("reports", &T::reports),
             field("coverage_report", &T::coverage_report));
};

template <>
struct Fields<ImageSpec> {
  using T = ImageSpec;
  static constexpr auto kList =
      fields(field("name", &T::name), field("entrypoint", &T::entrypoint),
             field("pull_policy", &T::pull_policy), field("platform", &T::platform), field("user", &T::user));
};

template <>
struct Fields<ImageBuildSpec> {
  using T = ImageBuildSpec;
  static constexpr auto kList =
      fields(field("context", &T::context), field("dockerfile", &T::dockerfile), field("target", &T::target),
             field("args", &T::args), field("secrets", &T::secrets), field("platforms", &T::platforms),
             field("tags", &T::tags), field("push", &T::push), field("cache", &T::cache),
             field("cache_from", &T::cache_from), field("cache_to", &T::cache_to));
};

template <>
struct Fields<ServiceSpec> {
  using T = ServiceSpec;
  static constexpr auto kList = fields(field("image", &T::image), field("aliases", &T::aliases),
                                       field("command", &T::command), field("variables", &T::variables));
};

template <>
struct Fields<EnvironmentSpec> {
  using T = EnvironmentSpec;
  static constexpr auto kList = fields(
      field("name", &T::name), field("slug", &T::slug), field("tier", &T::tier), field("url", &T::url),
      field("action", &T::action), field("on_stop", &T::on_stop), field("auto_stop_in", &T::auto_stop_in));
};

template <>
struct Fields<Need> {
  using T = Need;
  static constexpr auto kList = fields(field("job", &T::job), field("artifacts", &T::artifacts));
};

template <>
struct Fields<ForeignNeed> {
  using T = ForeignNeed;
  static constexpr auto kList =
      fields(field("project", &T::project), field("ref", &T::ref), field("pipeline", &T::pipeline),
             field("job", &T::job), field("artifacts", &T::artifacts));
};

template <>
struct Fields<TriggerSpec> {
  using T = TriggerSpec;
  static constexpr auto kList = fields(
      field("project", &T::project), field("branch", &T::branch), field("include", &T::include),
      field("strategy", &T::strategy), field("forward_yaml_variables", &T::forward_yaml_variables),
      field("forward_pipeline_variables", &T::forward_pipeline_variables), field("inputs", &T::inputs));
};

template <>
struct Fields<RuleTrace> {
  using T = RuleTrace;
  static constexpr auto kList =
      fields(field("where", &T::where), field("matched", &T::matched), field("lines", &T::lines));
};

template <>
struct Fields<PlanJob> {
  using T = PlanJob;
  static constexpr auto kList = fields(
      field("name", &T::name), field("group_name", &T::group_name), field("stage", &T::stage),
      field("stage_index", &T::stage_index), field("where", &T::where),
      field("before_script", &T::before_script), field("script", &T::script),
      field("after_script", &T::after_script), field("pre_get_sources_script", &T::pre_get_sources_script),
      field("when", &T::when), field("start_in", &T::start_in), field("manual_job", &T::manual_job),
      field("manual_confirmation", &T::manual_confirmation), field("allow_failure", &T::allow_failure),
      field("retry", &T::retry), field("timeout", &T::timeout), field("interruptible", &T::interruptible),
      field("resource_group", &T::resource_group), field("tags", &T::tags), field("image", &T::image),
      field("services", &T::services), field("image_build", &T::image_build), field("deploy", &T::deploy),
      field("caches", &T::caches), field("artifacts", &T::artifacts), field("coverage", &T::coverage),
      field("environment", &T::environment), field("trigger", &T::trigger),
      field("unsupported", &T::unsupported), field("dag", &T::dag), field("needs", &T::needs),
      field("foreign_needs", &T::foreign_needs), field("artifact_sources", &T::artifact_sources),
      field("node_index", &T::node_index), field("node_total", &T::node_total),
      field("variables", &T::variables), field("rule_trace", &T::rule_trace));
};

template <>
struct Fields<ExcludedJob> {
  using T = ExcludedJob;
  static constexpr auto kList =
      fields(field("name", &T::name), field("stage", &T::stage), field("where", &T::where),
             field("why", &T::why), field("rule_trace", &T::rule_trace));
};

template <>
struct Fields<Plan> {
  using T = Plan;
  static constexpr auto kList =
      fields(field("name", &T::name), field("stages", &T::stages), field("jobs", &T::jobs),
             field("excluded", &T::excluded), field("on_new_commit", &T::on_new_commit),
             field("cancel_on_job_failure", &T::cancel_on_job_failure), field("variables", &T::variables));
};

template <>
struct Fields<PipelineFacts> {
  using T = PipelineFacts;
  static constexpr auto kList = fields(
      field("source", &T::source), field("ref_kind", &T::ref_kind), field("ref_name", &T::ref_name),
      field("ref_protected", &T::ref_protected), field("sha", &T::sha), field("before_sha", &T::before_sha),
      field("commit_message", &T::commit_message), field("commit_author", &T::commit_author),
      field("commit_timestamp", &T::commit_timestamp), field("tag_message", &T::tag_message),
      field("default_branch", &T::default_branch), field("project_path", &T::project_path),
      field("project_title", &T::project_title), field("project_url", &T::project_url),
      field("repository_url", &T::repository_url), field("project_id", &T::project_id),
      field("server_url", &T::server_url), field("pipeline_id", &T::pipeline_id),
      field("pipeline_iid", &T::pipeline_iid), field("created_at", &T::created_at),
      field("config_path", &T::config_path), field("user_login", &T::user_login),
      field("user_name", &T::user_name), field("user_email", &T::user_email), field("user_id", &T::user_id),
      field("variables", &T::variables), field("extra_predefined", &T::extra_predefined),
      field("inputs", &T::inputs), field("explain_rules", &T::explain_rules));
};

}  // namespace runner::pipelines
