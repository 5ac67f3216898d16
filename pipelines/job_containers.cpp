// image and services.

#include <algorithm>
#include <array>
#include <string>

#include "pipelines/document.h"
#include "pipelines/job_model.h"

namespace runner::pipelines {
namespace {

constexpr std::array<std::string_view, 3> kPullPolicies = {"always", "if-not-present", "never"};

/// Aliases: one string, several separated by commas or blanks.
std::vector<std::string> split_aliases(std::string_view text) {
  std::vector<std::string> aliases;
  std::size_t at = 0;
  while ((at = text.find_first_not_of(", \t", at)) != std::string_view::npos) {
    const std::size_t end = std::min(text.find_first_of(", \t", at), text.size());
    aliases.emplace_back(text.substr(at, end - at));
    at = end;
  }
  return aliases;
}

void read_docker(Shapes& in, std::string_view path, const Node& map, ImageSpec& image) {
  const std::string full = std::string(path) + ":docker";
  in.check_keys(full, kDockerKeys, map);
  if (const Node* platform = in.get(kDockerKeys, map, "platform"))
    image.platform = in.with_inputs(platform->text(), platform->range());
  if (const Node* user = in.get(kDockerKeys, map, "user")) {
    image.user = in.with_inputs(user->text(), user->range());
    if (image.user.size() > 255)
      in.error("too-long", user->range(), full + ":user has more than 255 characters");
  }
}

std::optional<ServiceSpec> read_service(Shapes& in, const Node& node) {
  ServiceSpec service;
  const bool empty = node.is_string() ? node.text().empty() : node.is_null();
  if (empty) {
    if (!in.silent()) in.no_effect().try_emplace("services entry without a name", node.range());
    return std::nullopt;
  }
  if (!node.is_string() && !node.is_map()) {
    in.wrong_type("services", node, "an image name or a mapping", node.is_scalar() ? "put it in quotes" : "");
    return std::nullopt;
  }
  if (const Node* name = node.is_map() ? node.find("name") : nullptr;
      name != nullptr && (name->is_null() || (name->is_string() && name->text().empty()))) {
    if (!in.silent()) in.no_effect().try_emplace("services entry without a name", node.range());
    return std::nullopt;
  }
  auto image = read_image_value(in, "services", node, kServiceKeys);
  if (!image) return std::nullopt;
  service.image = std::move(*image);
  if (!node.is_map()) return service;
  if (const Node* alias = in.get(kServiceKeys, node, "alias"))
    service.aliases = split_aliases(in.with_inputs(alias->text(), alias->range()));
  if (const Node* command = in.get(kServiceKeys, node, "command"))
    service.command = in.strings("services:command", *command);
  if (const Node* variables = in.get(kServiceKeys, node, "variables"))
    service.variables =
        read_variables(in, "services:variables", *variables, VariableForm::job, VariableSource::job);
  return service;
}

}  // namespace

std::optional<ImageSpec> read_image_value(Shapes& in, std::string_view path, const Node& node,
                                          const KeywordTable& table) {
  ImageSpec image;
  if (node.is_string()) {
    image.name = in.with_inputs(node.text(), node.range());
    if (!image.name.empty()) return image;
    in.error("empty-value", node.range(), std::string(path) + " must not be empty");
    return std::nullopt;
  }
  in.check_keys(path, table, node);
  if (const Node* name = in.get(table, node, "name"))
    image.name = in.with_inputs(name->text(), name->range());
  if (image.name.empty()) {
    in.error("missing-key", node.range(), std::string(path) + " needs a name");
    return std::nullopt;
  }
  if (const Node* entrypoint = in.get(table, node, "entrypoint"))
    image.entrypoint = in.strings(std::string(path) + ":entrypoint", *entrypoint);
  if (const Node* policy = in.get(table, node, "pull_policy")) {
    const std::string full = std::string(path) + ":pull_policy";
    image.pull_policy = in.strings(full, *policy);
    for (const std::string& one : image.pull_policy)
      if (std::find(kPullPolicies.begin(), kPullPolicies.end(), one) == kPullPolicies.end())
        in.error("bad-value", policy->range(),
                 full + ": '" + one + "' is not one of " + alternatives(kPullPolicies),
                 did_you_mean(one, kPullPolicies));
  }
  if (const Node* docker = in.get(table, node, "docker")) read_docker(in, path, *docker, image);
  if (const Node* kubernetes = in.get(table, node, "kubernetes"))
    in.check_keys(std::string(path) + ":kubernetes", kKubernetesKeys, *kubernetes);
  return image;
}

void read_image(JobBuild& build, const MapEntry& entry) {
  build.job.job.image = read_image_value(build.in, "image", *entry.value, kImageKeys);
}

void read_services(JobBuild& build, const MapEntry& entry) {
  build.job.job.services.clear();
  Diagnostics nesting;
  for (const Node* item : flatten(*entry.value, nesting))
    if (auto service = read_service(build.in, *item)) build.job.job.services.push_back(std::move(*service));
  for (const Diagnostic& one : nesting.all()) build.in.error(one.id, one.where, "services: " + one.message);
}

}  // namespace runner::pipelines
