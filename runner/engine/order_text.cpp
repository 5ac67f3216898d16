#include "runner/engine/order_text.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "pipelines/frozen_plan.h"
#include "runner/base/error.h"
#include "runner/engine/entry_json.h"
#include "runner/engine/exact_json.h"

namespace runner::engine {
namespace {

using nlohmann::json;

/// The plan as one job sees it.
pipelines::Plan plan_of_one(const pipelines::Plan& plan, std::size_t job) {
  pipelines::Plan one;
  one.name = plan.name;
  one.stages = plan.stages;
  one.variables = plan.variables;
  one.jobs.push_back(plan.jobs[job]);
  one.jobs[0].needs.clear();
  one.jobs[0].artifact_sources = {};
  return one;
}

std::int64_t milliseconds(TimePoint time) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

json to_json(const Upstream& upstream) {
  json value{{"name", exact(upstream.name)}};
  if (upstream.layer) value["layer"] = entry_to_json(upstream.layer->name);
  if (!upstream.dotenv.empty()) value["dotenv"] = exact(upstream.dotenv);
  if (upstream.kept) value["kept"] = true;
  if (!upstream.lost.empty()) value["lost"] = exact(upstream.lost);
  return value;
}

Upstream upstream_of(const json& value, const FindEntry& find) {
  Upstream upstream;
  upstream.name = exact_text(value.at("name"));
  if (const auto lost = value.find("lost"); lost != value.end()) upstream.lost = exact_text(*lost);
  if (const auto layer = value.find("layer"); layer != value.end()) {
    upstream.layer = find(entry_name(*layer), upstream.lost);
    if (!upstream.layer && upstream.lost.empty()) upstream.lost = "nobody kept them";
  }
  if (const auto dotenv = value.find("dotenv"); dotenv != value.end()) upstream.dotenv = exact_pairs(*dotenv);
  upstream.kept = value.value("kept", false);
  return upstream;
}

json to_json(const ContainerSettings& settings) {
  json logins = json::array();
  for (const auto& file : settings.login_files) logins.push_back(exact(file.native()));
  return json{{"socket", exact(settings.socket.native())},
              {"owner", exact(settings.owner)},
              {"default_image", exact(settings.default_image)},
              {"pull_policy", settings.pull_policy},
              {"allowed_pull_policies", settings.allowed_pull_policies},
              {"login_files", std::move(logins)},
              {"service_wait", settings.service_wait.count()},
              {"ulimits", settings.ulimits},
              {"memory_bytes", settings.memory_bytes},
              {"shm_bytes", settings.shm_bytes},
              {"cpu_millis", settings.cpu_millis},
              {"privileged", settings.privileged},
              {"shell_only", settings.shell_only},
              {"insecure_registries", settings.insecure_registries},
              {"engine_socket", settings.engine_socket},
              {"engine_socket_projects", settings.engine_socket_projects},
              {"images", exact(settings.images.native())}};
}

ContainerSettings settings_of(const json& value) {
  ContainerSettings settings;
  settings.socket = exact_text(value.at("socket"));
  settings.owner = exact_text(value.at("owner"));
  settings.default_image = exact_text(value.at("default_image"));
  value.at("pull_policy").get_to(settings.pull_policy);
  value.at("allowed_pull_policies").get_to(settings.allowed_pull_policies);
  for (const json& file : value.at("login_files")) settings.login_files.emplace_back(exact_text(file));
  settings.service_wait = std::chrono::milliseconds(value.at("service_wait").get<std::int64_t>());
  value.at("ulimits").get_to(settings.ulimits);
  value.at("memory_bytes").get_to(settings.memory_bytes);
  value.at("shm_bytes").get_to(settings.shm_bytes);
  value.at("cpu_millis").get_to(settings.cpu_millis);
  value.at("privileged").get_to(settings.privileged);
  // Of an order that an older version wrote.
  if (const auto hosts = value.find("insecure_registries"); hosts != value.end())
    hosts->get_to(settings.insecure_registries);
  settings.shell_only = value.value("shell_only", false);
  value.at("engine_socket").get_to(settings.engine_socket);
  value.at("engine_socket_projects").get_to(settings.engine_socket_projects);
  settings.images = exact_text(value.at("images"));
  return settings;
}

json to_json(const EngineOptions& options) {
  return json{{"data_dir", exact(options.data_dir.native())},
              {"cancel_grace", options.cancel_grace.count()},
              {"default_timeout", options.default_timeout.count()},
              {"log_limit", options.log_limit},
              {"file_size_limit", options.file_size_limit},
              {"artifact_size_limit", options.artifact_size_limit},
              {"containers", to_json(options.containers)},
              {"deployments",
               {{"database", exact(options.deployments.database.native())},
                {"places", exact(options.deployments.places.native())},
                {"gated", options.deployments.gated}}}};
}

EngineOptions options_of(const json& value) {
  EngineOptions options;
  options.data_dir = exact_text(value.at("data_dir"));
  options.cancel_grace = std::chrono::milliseconds(value.at("cancel_grace").get<std::int64_t>());
  options.default_timeout = std::chrono::milliseconds(value.at("default_timeout").get<std::int64_t>());
  options.log_limit = value.at("log_limit").get<std::uint64_t>();
  options.file_size_limit = value.at("file_size_limit").get<std::uint64_t>();
  options.artifact_size_limit = value.at("artifact_size_limit").get<std::uint64_t>();
  options.containers = settings_of(value.at("containers"));
  // Not in an order that an older version wrote.
  if (const auto deployments = value.find("deployments"); deployments != value.end()) {
    options.deployments.database = exact_text(deployments->at("database"));
    options.deployments.places = exact_text(deployments->at("places"));
    options.deployments.gated = deployments->at("gated").get<bool>();
  }
  return options;
}

cache::MountMode mount_mode(const std::string& text) {
  using cache::MountMode;
  for (const MountMode mode : {MountMode::overlay_root, MountMode::overlay_user, MountMode::copy}) {
    if (text == cache::to_string(mode)) return mode;
  }
  throw Error(ErrorCode::corrupt, "there is no way '" + text + "' to make workspaces");
}

}  // namespace

std::string freeze(const JobOrder& order, const EngineOptions& options, cache::MountMode mount_mode) {
  const PipelineRequest& request = *order.request;
  json value = json::object();
  value["plan"] = pipelines::freeze(plan_of_one(request.plan, order.state.plan_index));
  value["facts"] = pipelines::freeze(request.facts);
  value["scope"] = exact(request.scope);
  value["artifact_prefix"] = exact(request.artifact_prefix);
  value["recipe"] = exact(request.recipe);
  if (request.name) value["run"] = exact(request.name());
  json environment = json::array();
  for (const auto& [name, text] : request.base_environment)
    environment.push_back(json::array({exact(name), exact(text)}));
  value["environment"] = std::move(environment);
  value["upstream"] = json::array();
  for (const Upstream& upstream : order.upstream) value["upstream"].push_back(to_json(upstream));
  value["id"] = order.state.id;
  value["pipeline"] = order.state.pipeline;
  value["attempt"] = order.state.attempt;
  value["started_at"] = milliseconds(order.state.started_at.value_or(TimePoint()));
  value["slot"] = order.slot;
  value["work_dir"] = exact(order.work_dir.native());
  value["log_path"] = exact(order.log_path.native());
  value["archive_root"] = exact(order.archive_root.native());
  value["options"] = to_json(options);
  value["mount_mode"] = std::string(cache::to_string(mount_mode));
  return value.dump();
}

ReceivedOrder thaw_order(std::string_view text, const FindEntry& find) {
  ReceivedOrder received;
  try {
    const json value = json::parse(text);
    received.request = std::make_unique<PipelineRequest>();
    PipelineRequest& request = *received.request;
    request.plan = pipelines::thaw(value.at("plan").get_ref<const std::string&>());
    if (request.plan.jobs.size() != 1) throw Error(ErrorCode::corrupt, "it is not of one job");
    request.facts = pipelines::thaw_facts(value.at("facts").get_ref<const std::string&>());
    request.scope = exact_text(value.at("scope"));
    request.artifact_prefix = exact_text(value.at("artifact_prefix"));
    request.recipe = exact_text(value.at("recipe"));
    if (const auto run = value.find("run"); run != value.end())
      request.name = [name = exact_text(*run)] { return name; };
    for (auto& [name, setting] : exact_pairs(value.at("environment")))
      request.base_environment.emplace(std::move(name), std::move(setting));
    JobOrder& order = received.order;
    order.request = received.request.get();
    for (const json& upstream : value.at("upstream")) order.upstream.push_back(upstream_of(upstream, find));
    order.state.id = value.at("id").get<std::int64_t>();
    order.state.pipeline = value.at("pipeline").get<std::int64_t>();
    order.state.attempt = value.at("attempt").get<int>();
    order.state.name = request.plan.jobs[0].name;
    order.state.stage = request.plan.jobs[0].stage;
    order.state.status = pipelines::JobStatus::running;
    order.state.started_at = TimePoint(std::chrono::milliseconds(value.at("started_at").get<std::int64_t>()));
    order.slot = value.at("slot").get<std::size_t>();
    order.work_dir = exact_text(value.at("work_dir"));
    order.log_path = exact_text(value.at("log_path"));
    order.archive_root = exact_text(value.at("archive_root"));
    received.options = options_of(value.at("options"));
    received.mount_mode = mount_mode(value.at("mount_mode").get_ref<const std::string&>());
  } catch (const json::exception& error) {
    throw Error(ErrorCode::corrupt, std::string("the order of a job cannot be read: ") + error.what());
  }
  return received;
}

}  // namespace runner::engine
