// environment, release, pages, trigger, id_tokens, secrets, identity.

#include <algorithm>
#include <array>
#include <string>

#include "pipelines/document.h"
#include "pipelines/input_text.h"
#include "pipelines/job_model.h"
#include "runner/base/duration.h"
#include "runner/base/text.h"

namespace runner::pipelines {
namespace {

constexpr std::array<std::string_view, 5> kActions = {"start", "stop", "prepare", "verify", "access"};
constexpr std::array<std::string_view, 5> kTiers = {"production", "staging", "testing", "development",
                                                    "other"};
constexpr std::array<std::string_view, 2> kStrategies = {"depend", "mirror"};
constexpr std::array<std::string_view, 4> kLinkTypes = {"other", "runbook", "image", "package"};

std::string text_of(const Node* node) {
  return node == nullptr ? std::string() : std::string(node->text());
}

void no_effect(JobBuild& build, std::string_view key, const SourceRange& where) {
  if (!build.in.silent()) build.in.no_effect().try_emplace(std::string(key), where);
}

void check_never_or_duration(Shapes& in, std::string_view path, const Node& node) {
  if (to_lower(node.text()) != "never") read_duration(in, path, node);
}

void read_environment_map(JobBuild& build, const MapEntry& entry, EnvironmentSpec& environment) {
  Shapes& in = build.in;
  const Node& node = *entry.value;
  in.check_keys("environment", kEnvironmentKeys, node);
  const auto get = [&](std::string_view key) { return in.get(kEnvironmentKeys, node, key); };
  environment.name = text_of(get("name"));
  environment.url = text_of(get("url"));
  if (environment.url.size() > 255)
    in.error("too-long", get("url")->range(), "environment:url has more than 255 characters");
  if (const Node* action = get("action"))
    environment.action = in.one_of("environment:action", *action, kActions).value_or("start");
  if (const Node* on_stop = get("on_stop")) {
    environment.on_stop = on_stop->text();
    build.job.on_stop_where = on_stop->range();
  }
  if (const Node* tier = get("deployment_tier")) {
    environment.tier = tier->text();
    if (environment.tier.find('$') == std::string::npos)
      in.one_of("environment:deployment_tier", *tier, kTiers);
  }
  if (const Node* stop = get("auto_stop_in")) {
    environment.auto_stop_in = stop->text();
    if (environment.auto_stop_in.find('$') == std::string::npos)
      check_never_or_duration(in, "environment:auto_stop_in", *stop);
    if (environment.action == "stop")
      in.error("keys-exclude", stop->range(), "environment:auto_stop_in cannot be used with action: stop");
  }
}

void read_release_assets(Shapes& in, const Node& assets) {
  in.check_keys("release:assets", kReleaseAssetKeys, assets);
  const Node* links = in.get(kReleaseAssetKeys, assets, "links");
  if (links == nullptr) return;
  for (const Node* link : links->items()) {
    if (!link->is_map()) {
      in.wrong_type("release:assets:links", *link, "a mapping with name and url");
      continue;
    }
    in.check_keys("release:assets:links", kReleaseLinkKeys, *link);
    if (link->find("name") == nullptr || link->find("url") == nullptr)
      in.error("missing-key", link->range(), "release:assets:links needs name and url");
    if (const Node* type = in.get(kReleaseLinkKeys, *link, "link_type"); type != nullptr)
      in.one_of("release:assets:links:link_type", *type, kLinkTypes);
  }
}

/// One `include` of a trigger, in a line for people; "" when it has a mistake.
std::string read_trigger_include(Shapes& in, const Node& node) {
  if (node.is_string()) return std::string(node.text());
  if (!node.is_map()) {
    in.wrong_type("trigger:include", node, "a path or a mapping");
    return {};
  }
  if (!in.check_keys("trigger:include", kTriggerIncludeKeys, node)) return {};
  std::string kind;
  for (std::string_view key : {"local", "project", "template", "component", "remote", "artifact"}) {
    if (in.get(kTriggerIncludeKeys, node, key) == nullptr) continue;
    if (!kind.empty()) {
      in.error("keys-exclude", node.range(),
               "trigger:include cannot have both " + kind + " and " + std::string(key));
      return {};
    }
    kind = key;
  }
  const auto text = [&](std::string_view key) { return text_of(in.get(kTriggerIncludeKeys, node, key)); };
  if (kind.empty()) {
    in.error("missing-key", node.range(),
             "trigger:include needs one of local, project, template, component, remote, artifact");
    return {};
  }
  if (kind == "artifact" && text("job").empty())
    in.error("missing-key", node.range(), "trigger:include with artifact needs job");
  if (kind == "project" && in.get(kTriggerIncludeKeys, node, "file") == nullptr)
    in.error("missing-key", node.range(), "trigger:include with project needs file");
  std::string line = kind + ": " + text(kind);
  if (kind == "artifact") line += " of job " + text("job");
  if (kind == "project") line += ", file: " + text("file");
  return line;
}

void read_trigger_map(JobBuild& build, const Node& node) {
  constexpr std::size_t kMaxIncludes = 3;
  Shapes& in = build.in;
  TriggerSpec& trigger = *build.job.job.trigger;
  in.check_keys("trigger", kTriggerKeys, node);
  const auto get = [&](std::string_view key) { return in.get(kTriggerKeys, node, key); };
  trigger.project = text_of(get("project"));
  trigger.branch = text_of(get("branch"));
  if (const Node* strategy = get("strategy"))
    trigger.strategy = in.one_of("trigger:strategy", *strategy, kStrategies).value_or("");
  if (const Node* forward = get("forward")) {
    in.check_keys("trigger:forward", kForwardKeys, *forward);
    if (const Node* own = in.get(kForwardKeys, *forward, "yaml_variables"))
      trigger.forward_yaml_variables = own->boolean();
    if (const Node* given = in.get(kForwardKeys, *forward, "pipeline_variables"))
      trigger.forward_pipeline_variables = given->boolean();
  }
  if (const Node* inputs = get("inputs"))
    for (const MapEntry& input : inputs->entries())
      trigger.inputs.emplace(input.key, node_to_json(*input.value));
  const Node* include = get("include");
  if (include != nullptr && get("project") != nullptr)
    in.error("keys-exclude", include->range(), "trigger cannot have both project and include");
  if (include == nullptr && get("project") == nullptr)
    in.error("missing-key", node.range(), "trigger needs project or include");
  if (include != nullptr && get("branch") != nullptr)
    in.error("keys-exclude", get("branch")->range(), "trigger cannot have both include and branch");
  if (include == nullptr) return;
  Diagnostics nesting;
  const std::vector<const Node*> items = flatten(*include, nesting);
  if (items.size() > kMaxIncludes)
    in.error("too-many-includes", include->range(), "trigger:include: at most 3 files are allowed");
  for (const Node* item : items)
    if (std::string line = read_trigger_include(in, *item); !line.empty())
      trigger.include.push_back(std::move(line));
}

}  // namespace

void read_environment(JobBuild& build, const MapEntry& entry) {
  EnvironmentSpec environment;
  if (entry.value->is_string()) {
    environment.name = entry.value->text();
  } else {
    read_environment_map(build, entry, environment);
  }
  if (environment.name.empty()) {
    build.in.error("missing-key", entry.key_range, "environment needs a name");
    return;
  }
  build.job.job.environment = std::move(environment);
}

void read_release(JobBuild& build, const MapEntry& entry) {
  Shapes& in = build.in;
  const Node& node = *entry.value;
  in.check_keys("release", kReleaseKeys, node);
  for (std::string_view key : {"tag_name", "description"})
    if (node.find(key) == nullptr || node.find(key)->is_null())
      in.error("missing-key", entry.key_range, "release needs " + std::string(key));
  if (const Node* milestones = in.get(kReleaseKeys, node, "milestones"))
    in.strings("release:milestones", *milestones);
  if (const Node* assets = in.get(kReleaseKeys, node, "assets")) read_release_assets(in, *assets);
  no_effect(build, "release", entry.key_range);
}

void read_pages(JobBuild& build, const MapEntry& entry) {
  std::string publish = "public";
  const Node& node = *entry.value;
  const bool implied = &node == build.job.node;  // the job is just named `pages`
  if (!implied) {
    if (node.kind() == NodeKind::boolean && !node.boolean()) return;
    if (node.is_map()) {
      build.in.check_keys("pages", kPagesKeys, node);
      if (const Node* path = build.in.get(kPagesKeys, node, "publish")) publish = path->text();
      if (const Node* expiry = build.in.get(kPagesKeys, node, "expire_in");
          expiry != nullptr && expiry->text().find('$') == std::string_view::npos)
        check_never_or_duration(build.in, "pages:expire_in", *expiry);
    }
  }
  if (const Node* legacy = build.job.node == nullptr ? nullptr : build.job.node->find("publish");
      legacy != nullptr && legacy->is_string())
    publish = legacy->text();
  if (build.job.job.trigger) return;
  no_effect(build, "pages", implied ? build.job.job.where : entry.key_range);
  build.job.pages_publish = std::move(publish);
}

void read_publish(JobBuild& /*build*/, const MapEntry& /*entry*/) {}  // read_pages looks at it

void read_trigger(JobBuild& build, const MapEntry& entry) {
  if (entry.value->is_map()) {
    read_trigger_map(build, *entry.value);
  } else {
    build.job.job.trigger->project = entry.value->text();
    if (entry.value->text().empty())
      build.in.error("empty-value", entry.value->range(), "trigger must name a project");
  }
  build.job.job.unsupported = build.job.job.trigger->include.empty()
                                  ? "pipelines of other projects cannot be started here"
                                  : "child pipelines cannot be started here yet";
}

void read_id_tokens(JobBuild& build, const MapEntry& entry) {
  for (const MapEntry& token : entry.value->entries()) {
    const std::string path = "id_tokens:" + std::string(token.key);
    if (!token.value->is_map()) {
      build.in.wrong_type(path, *token.value, "a mapping with aud");
      continue;
    }
    build.in.check_keys(path, kIdTokenKeys, *token.value);
    const Node* audience = build.in.get(kIdTokenKeys, *token.value, "aud");
    if (audience == nullptr) {
      if (token.value->find("aud") == nullptr)
        build.in.error("missing-key", token.key_range, path + " needs aud");
      continue;
    }
    build.in.strings(path + ":aud", *audience);
    Variable variable;
    variable.name = token.key;
    variable.source = VariableSource::runner_forced;
    variable.raw = true;
    variable.masked = true;
    variable.is_public = false;
    build.job.extra_variables.push_back(std::move(variable));
    build.in.warning("no-id-token", token.key_range,
                     path + ": tokens cannot be signed here, the variable will be empty");
  }
}

void read_secrets(JobBuild& build, const MapEntry& entry) {
  for (const MapEntry& secret : entry.value->entries()) {
    const std::string path = "secrets:" + std::string(secret.key);
    if (!secret.value->is_map()) {
      build.in.wrong_type(path, *secret.value, "a mapping with a provider");
      continue;
    }
    build.in.check_keys(path, kSecretKeys, *secret.value);
    std::size_t providers = 0;
    for (const MapEntry& key : secret.value->entries())
      if (key.key != "file" && key.key != "token" && kSecretKeys.find(key.key) != nullptr) ++providers;
    if (providers != 1) build.in.error("bad-secret", secret.key_range, path + " needs exactly one provider");
    if (build.shared.settings.count(secret.key) != 0) {
      no_effect(build, path + " (the project's variable is used)", secret.key_range);
    } else if (build.job.job.unsupported.empty()) {
      build.job.job.unsupported =
          "no provider for the secret '" + std::string(secret.key) + "' is configured";
    }
  }
}

void read_identity(JobBuild& build, const MapEntry& entry) {
  constexpr std::array<std::string_view, 1> kIdentities = {"google_cloud"};
  if (build.in.one_of("identity", *entry.value, kIdentities))
    build.job.job.unsupported = "identity: google_cloud is not available here";
}

void read_dast(JobBuild& build, const MapEntry& entry) {
  build.in.check_keys("dast_configuration", kDastKeys, *entry.value);
}

}  // namespace runner::pipelines
