#include "runner/daemon/config_containers.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <string_view>

#include "runner/base/text.h"

namespace runner::daemon {
namespace {

using pipelines::Node;

const std::vector<std::string> kPolicies = {"always", "if-not-present", "never"};

std::optional<std::uint64_t> bytes_of(ConfigMap& map, std::string_view key) {
  const auto text = map.written(key, "a size");
  if (!text) return std::nullopt;
  const auto bytes = parse_bytes(*text);
  if (!bytes || *bytes == 0) {
    map.complain(map.where(key), in_quotes(std::string(key)) + ": " + in_quotes(*text) + " is no size",
                 "write it like 512MB or 2 GiB");
    return std::nullopt;
  }
  return bytes;
}

/// "2", "0.5": in thousandths.
std::optional<std::uint32_t> cpus_of(ConfigMap& map) {
  const Node* found = map.get("cpus");
  if (found == nullptr) return std::nullopt;
  constexpr double kMost = 4096;
  const std::string text(found->is_scalar() ? std::string_view(found->text()) : std::string_view());
  char* end = nullptr;
  const double cpus = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !(cpus >= 0.01 && cpus <= kMost)) {
    map.complain(found->range(), "'cpus' must be a number of processors", "write it like 2 or 0.5");
    return std::nullopt;
  }
  return static_cast<std::uint32_t>(std::lround(cpus * 1000));
}

void read_policies(ConfigMap& map, ConfigContainers& out) {
  if (const auto policy = map.choice("pull_policy", kPolicies)) out.pull_policy = *policy;
  const auto allowed = map.texts("allowed_pull_policies");
  if (!allowed) return;
  for (const std::string& policy : *allowed) {
    if (std::find(kPolicies.begin(), kPolicies.end(), policy) == kPolicies.end()) {
      map.complain(map.where("allowed_pull_policies"),
                   "'allowed_pull_policies': " + in_quotes(policy) + " is no pull policy",
                   "there are always, if-not-present and never");
      return;
    }
  }
  if (allowed->empty())
    map.complain(map.where("allowed_pull_policies"), "'allowed_pull_policies' names none",
                 "name one or more");
  out.allowed_pull_policies = *allowed;
}

/// For all projects, or the names of some.
void read_engine_socket(ConfigMap& map, ConfigContainers& out) {
  const Node* found = map.get("engine_socket");
  if (found == nullptr) return;
  if (!found->is_list()) {
    out.engine_socket = map.flag("engine_socket");
    return;
  }
  const auto projects = map.texts("engine_socket");
  if (!projects) return;
  out.engine_socket = !projects->empty();
  out.engine_socket_projects = *projects;
}

void read_ulimits(ConfigMap& map, ConfigContainers& out) {
  const Node* found = map.mapping("ulimits", "names with numbers: {nofile: 4096}");
  if (found == nullptr) return;
  ConfigMap limits(*found, "ulimits", map.out());
  constexpr std::int64_t kMost = 1LL << 40;
  for (const char* name : {"core", "cpu", "fsize", "memlock", "nofile", "nproc", "stack"}) {
    if (const auto limit = limits.integer(name, 0, kMost)) {
      const auto value = static_cast<std::uint64_t>(*limit);
      out.ulimits[name] = {value, value};
    }
  }
  limits.finish();
}

}  // namespace

ConfigContainers read_config_containers(ConfigMap& map, const ConfigSecrets& secrets) {
  ConfigContainers out;
  const Node* found = map.mapping("containers", "a mapping like {pull_policy: if-not-present}");
  if (found == nullptr) return out;
  ConfigMap own(*found, "containers", map.out());
  const auto path = own.checked_text(
      "engine", [](const std::string& text) { return text.empty() ? "may not be empty" : ""; });
  if (path) out.engine = secrets.resolve(*path);
  const auto image = own.checked_text(
      "image", [](const std::string& text) { return text.empty() ? "may not be empty" : ""; });
  if (image) out.image = *image;
  read_policies(own, out);
  out.insecure_registries = own.texts("insecure_registries");
  out.privileged = own.flag("privileged");
  read_engine_socket(own, out);
  out.memory = bytes_of(own, "memory");
  out.shm_size = bytes_of(own, "shm_size");
  out.image_budget = bytes_of(own, "image_budget");
  out.build_cache_budget = bytes_of(own, "build_cache_budget");
  out.cpu_millis = cpus_of(own);
  out.service_wait = own.duration("service_wait", true);
  read_ulimits(own, out);
  own.finish();
  return out;
}

void apply(const ConfigContainers& said, engine::ContainerSettings& settings) {
  if (!said.image.empty()) settings.default_image = said.image;
  if (!said.pull_policy.empty()) settings.pull_policy = said.pull_policy;
  if (!said.allowed_pull_policies.empty()) settings.allowed_pull_policies = said.allowed_pull_policies;
  if (said.insecure_registries) settings.insecure_registries = *said.insecure_registries;
  if (said.privileged) settings.privileged = *said.privileged;
  if (said.engine_socket) settings.engine_socket = *said.engine_socket;
  settings.engine_socket_projects = said.engine_socket_projects;
  if (said.image_budget) settings.image_budget = *said.image_budget;
  if (said.build_cache_budget) settings.build_cache_budget = *said.build_cache_budget;
  if (said.memory) settings.memory_bytes = *said.memory;
  if (said.shm_size) settings.shm_bytes = *said.shm_size;
  if (said.cpu_millis) settings.cpu_millis = *said.cpu_millis;
  // 0, which stands for never, is "do not wait" there.
  constexpr std::chrono::milliseconds kNotAtAll{-1};
  if (said.service_wait)
    settings.service_wait = said.service_wait->count() == 0 ? kNotAtAll : *said.service_wait;
  for (const auto& [name, limits] : said.ulimits) settings.ulimits[name] = limits;
}

}  // namespace runner::daemon
