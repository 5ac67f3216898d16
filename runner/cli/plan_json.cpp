#include "runner/cli/json_writer.h"
#include "runner/cli/plan_view.h"

namespace runner::cli {
namespace {

using pipelines::Plan;
using pipelines::PlanJob;
using pipelines::PlanResult;
using pipelines::RuleTrace;

template <typename Build>
std::string document(Build&& build) {
  std::string out;
  JsonWriter json([&](std::string_view text) { out += text; });
  build(json);
  json.flush();
  out += '\n';
  return out;
}

void write_place(JsonWriter& json, const PlanResult& result, const pipelines::SourceRange& where) {
  json.key("where");
  if (!where.known() || !result.sources) {
    json.null();
    return;
  }
  json.begin_object().member("file", result.sources->name(where.file));
  json.member("line", std::uint64_t{where.line}).member("column", std::uint64_t{where.column}).end_object();
}

void write_traces(JsonWriter& json, const PlanResult& result, const std::vector<RuleTrace>& traces) {
  json.key("rules").begin_array();
  for (const RuleTrace& trace : traces) {
    json.begin_object().member("matched", trace.matched).member("lines", trace.lines);
    write_place(json, result, trace.where);
    json.end_object();
  }
  json.end_array();
}

void write_variables(JsonWriter& json, const std::vector<pipelines::Variable>& variables) {
  json.key("variables").begin_array();
  for (const pipelines::Variable& variable : variables) {
    json.begin_object().member("name", variable.name);
    json.key("source").value(pipelines::to_string(variable.source));
    json.key("value");
    if (variable.masked) {
      json.null();
    } else {
      json.value(variable.value);
    }
    json.member("masked", variable.masked)
        .member("raw", variable.raw)
        .member("file", variable.file)
        .end_object();
  }
  json.end_array();
}

void write_duration(JsonWriter& json, std::string_view name,
                    const std::optional<std::chrono::milliseconds>& duration) {
  json.key(name);
  if (duration) {
    json.value(static_cast<double>(duration->count()) / 1000.0);
  } else {
    json.null();
  }
}

void write_needs(JsonWriter& json, const Plan& plan, const PlanJob& job) {
  json.key("needs");
  if (job.dag) {
    json.begin_array();
    for (const pipelines::Need& need : job.needs) {
      json.begin_object()
          .member("job", plan.jobs[need.job].name)
          .member("artifacts", need.artifacts)
          .end_object();
    }
    json.end_array();
  } else {
    json.null();  // scheduled by its stage
  }
  json.key("artifacts_of").begin_array();
  for (const std::size_t source : job.artifact_sources) json.value(plan.jobs[source].name);
  json.end_array();
}

void write_flow(JsonWriter& json, const PlanJob& job) {
  json.key("when").value(pipelines::to_string(job.when));
  json.member("manual", job.manual_job);
  write_duration(json, "start_in", job.start_in);
  write_duration(json, "timeout", job.timeout);
  json.key("allow_failure")
      .begin_object()
      .member("always", job.allow_failure.always)
      .key("exit_codes")
      .begin_array();
  for (const int code : job.allow_failure.exit_codes) json.value(code);
  json.end_array().end_object();
  json.key("retry").begin_object().member("max", job.retry.max).member("when", job.retry.when).end_object();
  json.member("interruptible", job.interruptible).member("resource_group", job.resource_group);
  json.member("tags", job.tags);
}

void write_caches(JsonWriter& json, const PlanJob& job) {
  json.key("cache").begin_array();
  for (const pipelines::CacheSpec& cache : job.caches) {
    json.begin_object().member("key", cache.key.text).member("key_files", cache.key.files);
    json.member("prefix", cache.key.prefix).member("paths", cache.paths).member("untracked", cache.untracked);
    json.member("policy", cache.policy).member("fallback_keys", cache.fallback_keys).end_object();
  }
  json.end_array();
}

void write_artifacts(JsonWriter& json, const PlanJob& job) {
  json.key("artifacts");
  if (!job.artifacts.wanted()) {
    json.null();
    return;
  }
  json.begin_object().member("name", job.artifacts.name).member("paths", job.artifacts.paths);
  json.member("exclude", job.artifacts.exclude).member("untracked", job.artifacts.untracked);
  json.key("reports").begin_object();
  for (const auto& [type, paths] : job.artifacts.reports) json.member(type, paths);
  json.end_object().end_object();
}

void write_image_build(JsonWriter& json, const PlanJob& job) {
  json.key("build_image");
  if (!job.image_build) {
    json.null();
    return;
  }
  const pipelines::ImageBuildSpec& build = *job.image_build;
  json.begin_object().member("context", build.context).member("dockerfile", build.dockerfile);
  json.member("target", build.target).member("platforms", build.platforms).member("tags", build.tags);
  json.end_object();
}

void write_job(JsonWriter& json, const PlanResult& result, const PlanJob& job) {
  json.begin_object().member("name", job.name).member("group", job.group_name).member("stage", job.stage);
  write_place(json, result, job.where);
  write_flow(json, job);
  write_needs(json, *result.plan, job);
  json.member("before_script", job.before_script).member("script", job.script);
  json.member("after_script", job.after_script);
  json.key("image");
  if (job.image) {
    json.value(job.image->name);
  } else {
    json.null();
  }
  write_image_build(json, job);
  json.key("services").begin_array();
  for (const pipelines::ServiceSpec& service : job.services) json.value(service.image.name);
  json.end_array();
  json.key("environment");
  if (job.environment) {
    json.begin_object().member("name", job.environment->name).member("url", job.environment->url);
    json.member("action", job.environment->action).end_object();
  } else {
    json.null();
  }
  write_caches(json, job);
  write_artifacts(json, job);
  json.member("coverage", job.coverage).member("unsupported", job.unsupported);
  write_variables(json, job.variables);
  write_traces(json, result, job.rule_trace);
  json.end_object();
}

const std::vector<pipelines::ExcludedJob>& excluded_of(const PlanResult& result) {
  return result.plan && !result.plan->excluded.empty() ? result.plan->excluded : result.excluded;
}

void write_excluded(JsonWriter& json, const PlanResult& result, const pipelines::ExcludedJob& job) {
  json.begin_object().member("name", job.name).member("stage", job.stage).member("why", job.why);
  write_place(json, result, job.where);
  write_traces(json, result, job.rule_trace);
  json.end_object();
}

}  // namespace

std::string list_json(const Plan& plan) {
  return document([&](JsonWriter& json) {
    json.begin_array();
    for (const PlanJob& job : plan.jobs) {
      json.begin_object().member("name", job.name).member("group", job.group_name).member("stage", job.stage);
      json.key("when").value(pipelines::to_string(job.when));
      json.member("manual", job.manual_job).end_object();
    }
    json.end_array();
  });
}

std::string plan_json(const PlanResult& result) {
  return document([&](JsonWriter& json) {
    const Plan& plan = *result.plan;
    json.begin_object().member("name", plan.name).member("stages", plan.stages);
    json.key("jobs").begin_array();
    for (const PlanJob& job : plan.jobs) write_job(json, result, job);
    json.end_array();
    json.key("excluded").begin_array();
    for (const pipelines::ExcludedJob& job : excluded_of(result)) write_excluded(json, result, job);
    json.end_array();
    write_variables(json, plan.variables);
    json.end_object();
  });
}

std::optional<std::string> explain_json(const PlanResult& result, std::string_view name) {
  bool found = false;
  std::string text = document([&](JsonWriter& json) {
    json.begin_array();
    if (result.plan) {
      for (const PlanJob& job : result.plan->jobs) {
        if (job.name != name && job.group_name != name) continue;
        found = true;
        json.begin_object().member("name", job.name).member("in_pipeline", true).member("stage", job.stage);
        json.key("when").value(pipelines::to_string(job.when));
        write_place(json, result, job.where);
        write_needs(json, *result.plan, job);
        write_traces(json, result, job.rule_trace);
        json.end_object();
      }
    }
    for (const pipelines::ExcludedJob& job : excluded_of(result)) {
      if (job.name != name) continue;
      found = true;
      json.begin_object().member("name", job.name).member("in_pipeline", false).member("stage", job.stage);
      json.member("why", job.why);
      write_place(json, result, job.where);
      write_traces(json, result, job.rule_trace);
      json.end_object();
    }
    json.end_array();
  });
  if (!found) return std::nullopt;
  return text;
}

}  // namespace runner::cli
