#pragma once
// What a build asks the container engine for besides the build: its images. One thread; blocks on the engine.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>

#include "builds/build_request.h"
#include "executors/containers/engine_api.h"
#include "registry/logins.h"
#include "registry/reference.h"

namespace runner::builds {

struct LocalImage {
  std::string id;                         // "sha256:..."
  std::vector<std::string> repo_digests;  // "debian@sha256:..."
  std::map<std::string, std::string> labels;
  std::uint64_t bytes = 0;
};

class BuildEngine {
 public:
  /// `insecure`: HOST[:PORT] of registries that need no trusted certificate, or have no TLS.
  explicit BuildEngine(std::filesystem::path socket, std::vector<std::string> insecure = {});

  /// What answers there; asked once. All calls below ask first. Throws Error{unavailable} with the mend.
  const executors::EngineVersion& version(const std::stop_token& stop);
  /// Whether it still answers.
  bool answers() noexcept;
  const executors::EngineApi& api() const noexcept { return api_; }

  /// By name or id; nullopt when it has none.
  std::optional<LocalImage> find(const std::string& image, const std::stop_token& stop);
  /// One that was built from these inputs, to its end.
  std::optional<std::string> find_by_key(const std::string& key, const std::stop_token& stop);
  void tag(const std::string& image, const registry::Reference& as, const std::stop_token& stop);
  /// The image stays as long as it has another name. Fine when there is no such.
  void untag(const registry::Reference& name, const std::stop_token& stop);
  /// Sends it to its registry, once; gives the digest that the engine says it has there. Throws Error:
  /// invalid_input for what must be mended, unavailable for what may go away.
  std::string push(const registry::Reference& name, const std::optional<registry::Login>& login,
                   const std::stop_token& stop);

 private:
  executors::EngineApi api_;
  std::vector<std::string> insecure_;
  std::optional<executors::EngineVersion> version_;
};

}  // namespace runner::builds
