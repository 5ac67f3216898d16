#pragma once
// Sandboxes and options as all tests of the container executor want them.

#include <string>

#include "executors/containers/container_executor.h"
#include "runner/base/files.h"

namespace runner::executors::test {

inline constexpr const char* kBusybox = "docker.io/library/busybox:latest";
/// Where containers see the directory `gates` of a sandbox: for FIFOs between a test and a script.
inline constexpr const char* kGates = "/gates";

/// The limits that engines on a machine without CAP_SYS_RESOURCE can give.
inline ContainerOptions container_options(const std::filesystem::path& socket, const std::string& owner) {
  ContainerOptions options;
  options.socket = socket;
  options.owner = owner;
  options.ulimits = {{"nofile", {1024, 4096}}, {"nproc", {1024, 4096}}};
  return options;
}

/// Its files lie below `base`/`id`; the lower layer holds `hello`.
inline SandboxSpec container_sandbox(const std::filesystem::path& base, const std::string& id) {
  const std::filesystem::path own = base / id;
  for (const char* name : {"state", "lower", "upper", "work", "gates"}) make_directories(own / name, 0700);
  write_file_atomic(own / "lower" / "hello", "hello\n", 0644, false);
  SandboxSpec spec;
  spec.id.value = id;
  spec.state_dir = own / "state";
  spec.workspace = "/builds/project";
  spec.overlay = OverlayMount{{own / "lower"}, own / "upper", own / "work", own / "target", false};
  ContainerSpec container;
  container.image.name = kBusybox;
  container.image.pull = {PullPolicy::never};
  container.binds.push_back({own / "gates", kGates, false});
  spec.container = container;
  return spec;
}

}  // namespace runner::executors::test
