#pragma once
// What is written of a sandbox before anything of it is made, so that it is found again by names alone.

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "executors/executor.h"

namespace runner::executors {

/// Files in the state directory: `sandbox.json` (this), `files/` (what the container sees), `l/` (links to
/// the layers), `step.ID/`.
inline constexpr const char* kSandboxFile = "sandbox.json";
inline constexpr const char* kFilesDirectory = "files";
inline constexpr const char* kLinksDirectory = "l";

inline constexpr const char* kServiceLogMarker = "services.logged";

struct ServiceName {
  std::string image, container;
};

struct StoredSandbox {
  SandboxId id;
  std::string cookie;
  std::filesystem::path socket;  // of the engine that has its containers
  std::string api;
  bool podman = false;
  std::string container;  // the one of the steps
  std::filesystem::path workspace;
  std::filesystem::path work;            // of the overlay; empty = there is none
  std::vector<ServiceName> logged = {};  // services that write into the job's log
  std::size_t services = 0;              // how many containers there are beside it
};

/// Throws Error.
void write_sandbox(const std::filesystem::path& state_dir, const StoredSandbox& sandbox);
/// nullopt: there is none, or it is another's. Throws Error{corrupt}.
std::optional<StoredSandbox> read_sandbox(const std::filesystem::path& state_dir, const SandboxId& id);

}  // namespace runner::executors
