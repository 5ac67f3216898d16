#include "pipelines/deploy_block.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "pipelines/deploy_reader.h"
#include "pipelines/document.h"
#include "pipelines/input_text.h"
#include "pipelines/job_model.h"
#include "runner/base/error.h"

namespace runner::pipelines {
namespace {

using Json = nlohmann::json;

void put_inputs(Shapes& in, Json& value, const SourceRange& where) {
  if (value.is_string()) {
    value = in.with_inputs(value.get_ref<const std::string&>(), where);
  } else if (value.is_structured()) {
    for (Json& part : value) put_inputs(in, part, where);
  }
}

}  // namespace

DeploySpec parse_deploy_block(std::string_view json) {
  NodeArena arena;
  const Node* node = node_from_json(json, arena, {});
  if (node == nullptr || !node->is_map())
    throw Error(ErrorCode::invalid_input, "the deploy block of the plan is no mapping");
  Diagnostics diagnostics;
  NoEffect no_effect;
  Shapes in(&diagnostics, no_effect, "the job");
  DeploySpec spec = read_deploy_spec(in, *node);
  for (const Diagnostic& one : diagnostics.all())
    if (one.severity == Severity::error) throw Error(ErrorCode::invalid_input, one.message);
  return spec;
}

std::string_view secret_name(std::string_view text) noexcept {
  constexpr std::string_view kWord = "secret:";
  return text.starts_with(kWord) ? text.substr(kWord.size()) : std::string_view();
}

std::vector<std::string> deploy_secrets(const DeploySpec& spec) {
  std::vector<std::string> names;
  if (!spec.ssh) return names;
  for (const std::string* text : {&spec.ssh->key, &spec.ssh->known_hosts}) {
    const std::string name(secret_name(*text));
    if (!name.empty() && std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  return names;
}

void expand_deploy_texts(DeploySpec& spec, const std::function<std::string(std::string_view)>& expand) {
  const auto one = [&](std::string& text) {
    if (text.find_first_of("$%") != std::string::npos) text = expand(text);
  };
  // %slot and %unit are the target's.
  const auto named = [&](std::string& text) {
    if (text.find('$') != std::string::npos) text = expand(text);
  };
  const auto each = [&](std::vector<std::string>& texts) { std::for_each(texts.begin(), texts.end(), one); };
  one(spec.release.image);
  one(spec.release.artifact);
  each(spec.release.config);
  if (spec.ssh) {
    for (DeployHost& host : spec.ssh->hosts) {
      one(host.address);
      one(host.root);
    }
    for (std::string* text : {&spec.ssh->user, &spec.ssh->known_hosts, &spec.ssh->jump, &spec.ssh->root})
      one(*text);
    named(spec.ssh->service);
  }
  if (spec.compose)
    for (std::string* text : {&spec.compose->file, &spec.compose->service, &spec.compose->host}) one(*text);
  each(spec.balancer.sockets);
  one(spec.balancer.backend);
  named(spec.balancer.server);
  one(spec.balancer.upstream_file);
  one(spec.health.path);
  one(spec.health.host);
  for (auto* checks : {&spec.smoke.before_switch, &spec.smoke.after_switch})
    for (SmokeCheck& check : *checks) one(check.url);
  for (auto& [name, value] : spec.outputs) one(value);
}

// Shape and rules were told; what is kept is what the file says.
void read_deploy(JobBuild& build, const MapEntry& entry) {
  read_deploy_spec(build.in, *entry.value);
  Json block = Json::parse(node_to_json(*entry.value), nullptr, false);
  put_inputs(build.in, block, entry.value->range());
  PlanJob& job = build.job.job;
  job.deploy = block.dump();
  build.job.has_script = true;
}

}  // namespace runner::pipelines
