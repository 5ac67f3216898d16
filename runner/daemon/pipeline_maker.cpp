#include "runner/daemon/pipeline_maker.h"

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "pipelines/frozen_plan.h"
#include "runner/base/error.h"
#include "runner/base/failpoint.h"
#include "runner/base/files.h"
#include "runner/base/log.h"
#include "runner/base/text.h"
#include "runner/daemon/commit_facts.h"
#include "runner/daemon/commit_readers.h"
#include "runner/daemon/commit_recipe.h"
#include "runner/daemon/project_access.h"
#include "runner/daemon/project_variables.h"
#include "runner/engine/job_containers.h"
#include "runner/engine/masker.h"
#include "runner/storage/event_table.h"
#include "runner/storage/names.h"
#include "runner/storage/ref_table.h"
#include "runner/storage/tables.h"

namespace runner::daemon {
namespace {

namespace fs = std::filesystem;
using pipelines::PipelineFacts;
using pipelines::PlanOutcome;
using pipelines::PlanResult;
using pipelines::RefKind;
using storage::ProjectRecord;

constexpr std::string_view kBranch = "refs/heads/", kTag = "refs/tags/";

/// "file:line:col: error: what; help", a line each.
std::string text_of(const PlanResult& result) {
  std::string text;
  for (const pipelines::Diagnostic& found : result.diagnostics.sorted()) {
    if (found.severity != pipelines::Severity::error) continue;
    if (!text.empty()) text += '\n';
    if (found.where.known() && result.sources) {
      text += std::string(result.sources->name(found.where.file)) + ":" + std::to_string(found.where.line) +
              ":" + std::to_string(found.where.column) + ": ";
    }
    text += "error: " + found.message + " [" + found.id + "]";
    if (!found.help.empty()) text += "; " + found.help;
  }
  return text;
}

/// Names that variables are filled in to are in messages, and those are for everybody.
std::string masked(const std::string& text, const PipelineFacts& facts) {
  std::vector<std::string> secrets;
  for (const pipelines::Variable& variable : facts.variables)
    if (variable.masked) secrets.push_back(variable.value);
  engine::Masker masker(secrets);
  std::string out;
  masker.feed(text, out);
  masker.finish(out);
  return out;
}

}  // namespace

fs::path PipelineMaker::mirror_of(const ProjectRecord& project) const {
  return parts_.data_dir / "git" / (project.name + "-" + std::to_string(project.id) + ".git");
}

engine::FindEntry PipelineMaker::finder() const {
  return [this](const cache::EntryName& name, std::string& why) { return parts_.layers.find(name, &why); };
}

void PipelineMaker::note_head(storage::Tx& tx, const ProjectRecord& project, const Trigger& trigger) const {
  if (!is_push(trigger)) return;
  storage::RefHeads(tx).upsert({project.id, trigger.ref, trigger.sha, parts_.clock.now()});
}

Made PipelineMaker::make(engine::Engine& engine, const ProjectRecord& project, git::Mirror& mirror,
                         const Trigger& trigger, const Settle& settle) {
  // What changed is counted from there.
  const std::string& from = trigger.merge_request ? trigger.merge_request->base : trigger.before;
  CommitReaders readers(mirror.directory(), trigger.sha, from.empty() ? std::string(40, '0') : from);
  PipelineFacts facts = facts_of(project, mirror, readers.repository(), trigger, parts_.server_url);
  facts.created_at = parts_.clock.now();
  // Variables speak of these numbers, so they are known before the plan is.
  parts_.store.write([&](storage::Tx& tx) {
    facts.pipeline_id = tx.take_ids("pipelines", 1);
    facts.pipeline_iid = storage::Projects(tx).take_iid(project.id);
  });
  GivenVariables kept;
  parts_.store.read([&](storage::Tx& tx) { kept = variables_of_pipeline(tx, parts_.sealer, facts); });
  std::move(kept.variables.begin(), kept.variables.end(), std::back_inserter(facts.variables));
  const auto file = readers.read_local(project.pipeline_file);
  if (!file) {
    return refuse(project, trigger, facts,
                  "there is no file " + in_quotes(project.pipeline_file) + " in commit " +
                      trigger.sha.substr(0, 8) + "; add it, or name another with `runner project set " +
                      project.name + " --file PATH`",
                  settle);
  }
  PlanResult planned = pipelines::make_plan(project.pipeline_file, *file, facts, readers, readers);
  if (planned.outcome == PlanOutcome::invalid)
    return refuse(project, trigger, facts, masked(text_of(planned), facts), settle);
  if (!planned.plan) {
    if (trigger.asked) throw Error(ErrorCode::invalid_input, planned.why);
    parts_.store.write([&](storage::Tx& tx) {
      note_head(tx, project, trigger);
      if (settle) settle(tx, {}, planned.why);
      storage::EventLog(tx).append(
          {0,
           project.id,
           {},
           {},
           "pipeline.none",
           nlohmann::json{{"ref", trigger.ref}, {"sha", trigger.sha}, {"why", planned.why}}.dump(
               -1, ' ', false, nlohmann::json::error_handler_t::replace),
           parts_.clock.now()});
    });
    return {{}, false, planned.why};
  }
  const std::string plan = pipelines::freeze(*planned.plan), frozen_facts = pipelines::freeze(facts);
  engine::PipelineRequest request = request_of(project, facts, std::move(*planned.plan));
  const std::int64_t priority = trigger.priority.value_or(project.priority);
  request.priority = static_cast<int>(priority);
  request.on_insert = [&](storage::Tx& tx, storage::PipelineRecord& record) {
    record.id = facts.pipeline_id;
    record.project_id = project.id;
    record.project = project.name;
    record.iid = facts.pipeline_iid;
    record.before_sha = facts.before_sha;
    record.started_by = trigger.started_by;
    record.priority = priority;
    if (trigger.merge_request) record.ref = short_ref(trigger.ref);
    if (is_push(trigger)) record.once_key = storage::push_once_key(project.id, trigger.ref, trigger.sha);
    note_head(tx, project, trigger);
    note_given(tx, kept, record);
  };
  request.after_insert = [&](storage::Tx& tx, const storage::PipelineRecord& record) {
    storage::Pipelines(tx).keep_frozen(record.id, plan, frozen_facts, parts_.sealer);
    if (parts_.on_write) parts_.on_write(tx, {record, true, {}});
    if (settle) settle(tx, record.id, {});
  };
  failpoint("daemon.planned");
  std::int64_t id = 0;
  try {
    id = engine.create(std::move(request));
  } catch (const Error& error) {
    if (error.code() != ErrorCode::conflict || !is_push(trigger)) throw;
    parts_.store.write([&](storage::Tx& tx) { note_head(tx, project, trigger); });
    return {{}, false, "this commit of the ref had a pipeline already"};
  }
  failpoint("daemon.made");
  return {id, false, {}};
}

/// A push gets a pipeline that says what is wrong, as does a schedule; who asks is told.
Made PipelineMaker::refuse(const ProjectRecord& project, const Trigger& trigger, const PipelineFacts& facts,
                           const std::string& message, const Settle& settle) {
  if (trigger.asked) throw Error(ErrorCode::invalid_input, message);
  storage::PipelineRecord record;
  record.id = facts.pipeline_id;
  record.iid = facts.pipeline_iid;
  record.project_id = project.id;
  record.project = project.name;
  record.source = trigger.source;
  record.ref = trigger.merge_request ? short_ref(trigger.ref) : facts.ref_name;
  record.sha = trigger.sha;
  record.before_sha = facts.before_sha;
  record.started_by = trigger.started_by;
  record.priority = trigger.priority.value_or(project.priority);
  record.status = pipelines::JobStatus::failed;
  record.created_at = parts_.clock.now();
  record.finished_at = record.created_at;
  if (is_push(trigger)) record.once_key = storage::push_once_key(project.id, trigger.ref, trigger.sha);
  std::optional<std::int64_t> id;
  parts_.store.write([&](storage::Tx& tx) {
    note_head(tx, project, trigger);
    id = storage::Pipelines(tx).insert_once(record);
    if (!id) return;
    if (settle) settle(tx, id, message);
    const nlohmann::json payload{
        {"ref", trigger.ref}, {"sha", trigger.sha}, {"message", storage::storable_text(message)}};
    storage::EventLog(tx).append({0,
                                  project.id,
                                  id,
                                  {},
                                  "pipeline.invalid",
                                  payload.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace),
                                  parts_.clock.now()});
    if (parts_.on_write) parts_.on_write(tx, {record, true, {}});
  });
  if (id && parts_.made) parts_.made(record);
  return {id, true, message};
}

engine::PipelineRequest PipelineMaker::request_of(const ProjectRecord& project, PipelineFacts facts,
                                                  pipelines::Plan plan) {
  CommitRecipe recipe;
  recipe.mirror = mirror_of(project);
  recipe.mirrors = parts_.data_dir / "git";
  recipe.scope = project.name;
  recipe.commit = facts.sha;
  const auto request_ref = facts.extra_predefined.find("CI_MERGE_REQUEST_REF_PATH");
  recipe.ref = facts.ref_kind == RefKind::merge_request && request_ref != facts.extra_predefined.end()
                   ? request_ref->second
                   : std::string(facts.ref_kind == RefKind::tag ? kTag : kBranch) + facts.ref_name;
  recipe.default_branch = facts.default_branch;
  recipe.url = project.url;
  recipe.builds_dir = parts_.data_dir / "builds";
  recipe.project_dir = recipe.builds_dir / project.name;
  make_directories(recipe.project_dir);
  parts_.store.read([&](storage::Tx& tx) {
    const ProjectAccess opened = open_access(tx, parts_.sealer, project, parts_.data_dir);
    recipe.username = opened.access.username;
    recipe.secret = opened.access.secret;
    recipe.known_hosts = opened.access.known_hosts;
  });
  engine::PipelineRequest request;
  request.name = [name = "pipeline " + std::to_string(facts.pipeline_id) + " of " + project.name] {
    return std::string(name);
  };
  request.artifact_prefix = std::to_string(facts.pipeline_id) + "/";
  request.plan = std::move(plan);
  for (std::size_t i = 0; i < request.plan.jobs.size(); ++i) {
    pipelines::PlanJob& job = request.plan.jobs[i];
    if (engine::wants_container(job, parts_.containers)) {
      request.executors.emplace(i, engine::kContainer);
    } else if (job.image && !parts_.shell_only && job.unsupported.empty()) {
      job.unsupported =
          "it wants an image and this server has found no container engine; start docker or podman and then "
          "the server again; `runner serve --executor shell` runs such jobs on the machine, without their "
          "image";
    } else if (job.image_build && parts_.containers.socket.empty() && job.unsupported.empty()) {
      job.unsupported =
          "it builds an image and this server has found no container engine; start docker or podman and then "
          "the server again";
    }
  }
  request.facts = std::move(facts);
  request.checkout.project_dir = recipe.project_dir;
  request.checkout.builds_dir = recipe.builds_dir;
  request.scope = project.name;
  request.recipe = encode(recipe);
  request.base_environment = parts_.base_environment.get();
  return request;
}

std::optional<engine::StoredPipeline> PipelineMaker::load(std::int64_t pipeline) {
  std::optional<engine::StoredPipeline> stored;
  std::optional<ProjectRecord> project;
  std::optional<storage::FrozenPipeline> frozen;
  std::int64_t priority = 0;
  parts_.store.read([&](storage::Tx& tx) {
    storage::Pipelines table(tx);
    const auto record = table.find(pipeline);
    if (!record || !record->project_id) return;
    frozen = table.frozen(pipeline, parts_.sealer);
    if (!frozen) return;
    project = storage::Projects(tx).find(*record->project_id);
    priority = record->priority;
    stored = engine::load_pipeline(tx, pipeline, finder());
  });
  if (!stored || !project) return std::nullopt;
  stored->request =
      request_of(*project, pipelines::thaw_facts(frozen->facts.text()), pipelines::thaw(frozen->plan.text()));
  stored->request.priority = static_cast<int>(priority);
  return stored;
}

PipelineMaker::Unfinished PipelineMaker::unfinished() {
  std::vector<storage::PipelineRecord> records;
  Unfinished found;
  parts_.store.read([&](storage::Tx& tx) {
    records = storage::Pipelines(tx).unfinished();
    found.waiting = storage::Pipelines(tx).waiting();
  });
  std::set<std::int64_t> waiting;
  for (const storage::WaitingPipeline& one : found.waiting) waiting.insert(one.id);
  for (const storage::PipelineRecord& record : records) {
    if (waiting.contains(record.id)) continue;
    // Those that wait for a person alone come back with what that person does.
    if (record.status == pipelines::JobStatus::manual) continue;
    if (auto stored = load(record.id)) {
      found.under_way.push_back(std::move(*stored));
      continue;
    }
    log_error("daemon", "pipeline " + std::to_string(record.id) + " has no plan in the store: it is failed");
    storage::PipelineRecord failed = record;
    failed.status = pipelines::JobStatus::failed;
    failed.finished_at = parts_.clock.now();
    ++failed.version;
    parts_.store.write([&](storage::Tx& tx) {
      if (storage::Pipelines(tx).replace(failed, record.version) && parts_.on_write)
        parts_.on_write(tx, {failed, true, {}});
    });
  }
  return found;
}

}  // namespace runner::daemon
