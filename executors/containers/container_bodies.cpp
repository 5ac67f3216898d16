#include "executors/containers/container_bodies.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "runner/base/digest.h"
#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::executors {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kLongestIdPart = 60;
constexpr std::size_t kDigestPart = 12;
// mount(2) takes a page with the final zero.
constexpr std::size_t kMostOptions = 4095;
// cpu_millis: thousandths of a core; engines count in billionths.
constexpr std::uint64_t kNanosPerMilli = 1'000'000;

std::string dump(const Json& json) {
  try {
    return json.dump();
  } catch (const Json::exception&) {
    throw Error(ErrorCode::invalid_input,
                "the container cannot be described to the engine: a name, a path or a label is not UTF-8");
  }
}

Json environment(const std::map<std::string, std::string>& env) {
  Json list = Json::array();
  for (const auto& [name, value] : env) {
    if (!is_utf8(name) || !is_utf8(value))
      throw Error(ErrorCode::invalid_input, "the variable " + in_quotes(to_utf8(name)) +
                                                " of a container is not UTF-8; encode its value");
    list.push_back(name + "=" + value);
  }
  return list;
}

Json bind_mount(const std::string& source, const std::string& target, bool read_only) {
  return {{"Type", "bind"}, {"Source", source}, {"Target", target}, {"ReadOnly", read_only}};
}

// The engine mounts the volume for the first container that uses it and takes it away after the last one.
// NoCopy: what the image has in that place is not put into the workspace.
Json workspace_mount(const SandboxSpec& spec, const ContainerNames& names) {
  const std::string& target = spec.workspace.native();
  if (!spec.overlay) return bind_mount(target, target, false);
  return {
      {"Type", "volume"}, {"Source", names.base}, {"Target", target}, {"VolumeOptions", {{"NoCopy", true}}}};
}

Json limits_of(const SandboxSpec& spec, const Ulimits& ulimits) {
  Json list = Json::array();
  for (const auto& [name, limit] : ulimits)
    if (name != "fsize" || spec.file_size_bytes == 0)
      list.push_back({{"Name", name}, {"Soft", limit.soft}, {"Hard", limit.hard}});
  if (spec.file_size_bytes != 0)
    list.push_back({{"Name", "fsize"}, {"Soft", spec.file_size_bytes}, {"Hard", spec.file_size_bytes}});
  return list;
}

// What the containers of a sandbox have in common.
Json common_body(const SandboxSpec& spec, const ContainerNames& names, const ImageFacts& image,
                 const std::vector<std::string>& argv, const Ulimits& ulimits) {
  const ContainerSpec& container = *spec.container;
  Json host = {{"Mounts", Json::array({workspace_mount(spec, names)})},
               {"Ulimits", limits_of(spec, ulimits)},
               {"Privileged", container.privileged}};
  if (!container.privileged) host["SecurityOpt"] = {"no-new-privileges"};
  for (const BindMount& mount : container.binds)
    host["Mounts"].push_back(bind_mount(mount.source.native(), mount.target.native(), mount.read_only));
  if (!container.extra_hosts.empty()) host["ExtraHosts"] = container.extra_hosts;
  if (!container.cap_add.empty()) host["CapAdd"] = container.cap_add;
  if (!container.cap_drop.empty()) host["CapDrop"] = container.cap_drop;
  if (container.shm_bytes != 0) host["ShmSize"] = container.shm_bytes;
  if (spec.memory_bytes != 0) {
    host["Memory"] = spec.memory_bytes;
    host["MemorySwap"] = spec.memory_bytes;  // memory and swap together: no swap
  }
  if (spec.cpu_millis != 0) host["NanoCpus"] = spec.cpu_millis * kNanosPerMilli;
  // Both are given, so that nothing is taken from the image by rules in which engines differ.
  return {{"Image", image.id},
          {"Entrypoint", {argv.front()}},
          {"Cmd", std::vector<std::string>(argv.begin() + 1, argv.end())},
          {"Labels", names.labels},
          {"Tty", false},
          {"OpenStdin", false},
          {"HostConfig", std::move(host)}};
}

void join_network(Json& body, const ContainerNames& names, const std::vector<std::string>& aliases) {
  body["HostConfig"]["NetworkMode"] = names.base;
  body["NetworkingConfig"]["EndpointsConfig"][names.base] = {{"Aliases", aliases}};
}

bool clears(const std::optional<std::vector<std::string>>& entrypoint) {
  return entrypoint && (entrypoint->empty() || *entrypoint == std::vector<std::string>{""});
}

std::vector<std::string> entrypoint_of(const ContainerImage& wanted, const ImageFacts& image) {
  if (clears(wanted.entrypoint)) return {};
  return wanted.entrypoint.value_or(image.entrypoint);
}

}  // namespace

ContainerNames container_names(std::string_view owner, const SandboxId& id,
                               const std::map<std::string, std::string>& labels) {
  ContainerNames names;
  std::string readable = id.value.substr(0, kLongestIdPart);
  for (char& c : readable) {
    const bool allowed = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                         c == '_' || c == '.' || c == '-';
    if (!allowed) c = '-';
  }
  // The length in front keeps "a" + "bc" and "ab" + "c" apart.
  const std::string both = std::to_string(owner.size()) + ":" + std::string(owner) + id.value;
  names.base = "runner-" + readable + "-" + sha256_hex(both).substr(0, kDigestPart);
  for (const auto& [name, value] : labels) names.labels["io.runner." + name] = value;
  names.labels[kOwnerLabel] = owner;
  names.labels[kSandboxLabel] = id.value;
  return names;
}

std::string overlay_options(const std::string& links, std::size_t lowers) {
  if (links.find_first_of(",:\\\"") != std::string::npos)
    throw Error(ErrorCode::invalid_input, "the workspace cannot be mounted: '" + links +
                                              "' has a comma, a colon, a quote or a backslash in it; choose "
                                              "another data directory");
  std::string options = "lowerdir=";
  for (std::size_t i = 0; i < lowers; ++i) options += (i > 0 ? ":" : "") + links + "/" + std::to_string(i);
  // `volatile`: without it every unmount syncs the whole file system below the upper directory.
  options += ",upperdir=" + links + "/u,workdir=" + links + "/w,userxattr,index=off,volatile";
  if (options.size() > kMostOptions)
    throw Error(ErrorCode::invalid_input,
                "the workspace cannot be mounted: " + std::to_string(lowers) + " layers below '" + links +
                    "' are more than the kernel takes; use a shorter data directory, "
                    "or fewer caches and artifacts");
  return options;
}

std::string volume_body(const ContainerNames& names, const std::string& options) {
  return dump({{"Name", names.base},
               {"Driver", "local"},
               {"DriverOpts", {{"type", "overlay"}, {"device", "overlay"}, {"o", options}}},
               {"Labels", names.labels}});
}

std::string network_body(const ContainerNames& names) {
  return dump(
      {{"Name", names.base}, {"Driver", "bridge"}, {"CheckDuplicate", true}, {"Labels", names.labels}});
}

void add_engine_socket(SandboxSpec& spec, const std::string& socket, bool podman) {
  constexpr const char* kDockerPlace = "/var/run/docker.sock";
  constexpr const char* kPodmanPlace = "/run/podman/podman.sock";
  ContainerSpec& container = *spec.container;
  container.binds.push_back({socket, kDockerPlace, false});
  container.env.try_emplace("DOCKER_HOST", std::string("unix://") + kDockerPlace);
  if (!podman) return;
  container.binds.push_back({socket, kPodmanPlace, false});
  container.env.try_emplace("CONTAINER_HOST", std::string("unix://") + kPodmanPlace);
}

std::string build_body(const SandboxSpec& spec, const ContainerNames& names, const ImageFacts& image,
                       const std::string& files, const Ulimits& ulimits) {
  std::vector<std::string> argv = entrypoint_of(spec.container->image, image);
  argv.emplace_back("sh");
  argv.push_back(std::string(kFilesTarget) + "/" + kStepScript);
  Json body = common_body(spec, names, image, argv, ulimits);
  body["HostConfig"]["Mounts"].push_back(bind_mount(files, kFilesTarget, true));
  body["HostConfig"]["LogConfig"] = {{"Type", "none"}};  // the log is ours
  body["Env"] = environment(spec.container->env);
  body["WorkingDir"] = spec.workspace.native();
  body["User"] = spec.container->image.user;
  body["AttachStdout"] = true;
  body["AttachStderr"] = true;
  if (!spec.container->services.empty()) join_network(body, names, {});
  return dump(body);
}

std::string service_body(const SandboxSpec& spec, const ContainerService& service,
                         const ContainerNames& names, const ImageFacts& image, const Ulimits& ulimits) {
  std::vector<std::string> argv = entrypoint_of(service.image, image);
  // As engines do: who replaces the entrypoint also says what it is given.
  const std::vector<std::string> inherited =
      service.image.entrypoint ? std::vector<std::string>() : image.command;
  const std::vector<std::string> command = service.command.value_or(inherited);
  argv.insert(argv.end(), command.begin(), command.end());
  if (argv.empty())
    throw Error(ErrorCode::invalid_input,
                "the service '" + service.image.name + "' has nothing to run: give it a command");
  Json body = common_body(spec, names, image, argv, ulimits);
  body["HostConfig"]["LogConfig"] = {{"Type", "json-file"}, {"Config", {{"max-size", "10m"}}}};
  body["Env"] = environment(service.env);
  body["User"] = service.image.user;
  join_network(body, names, service.aliases);
  return dump(body);
}

}  // namespace runner::executors
