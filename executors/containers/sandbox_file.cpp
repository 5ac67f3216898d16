#include "executors/containers/sandbox_file.h"

#include <nlohmann/json.hpp>

#include "runner/base/error.h"
#include "runner/base/files.h"

namespace runner::executors {
namespace {

using Json = nlohmann::json;
constexpr unsigned kPrivate = 0600;

}  // namespace

void write_sandbox(const std::filesystem::path& state_dir, const StoredSandbox& sandbox) {
  try {
    Json logged = Json::array();
    for (const ServiceName& service : sandbox.logged)
      logged.push_back({{"image", service.image}, {"container", service.container}});
    const Json json = {{"id", sandbox.id.value},
                       {"cookie", sandbox.cookie},
                       {"socket", sandbox.socket.native()},
                       {"api", sandbox.api},
                       {"podman", sandbox.podman},
                       {"container", sandbox.container},
                       {"workspace", sandbox.workspace.native()},
                       {"work", sandbox.work.native()},
                       {"logged", std::move(logged)},
                       {"services", sandbox.services}};
    write_file_atomic(state_dir / kSandboxFile, json.dump(), kPrivate);
  } catch (const Json::exception&) {
    throw Error(ErrorCode::invalid_input, "a path of the sandbox '" + sandbox.id.value + "' is not UTF-8");
  }
}

std::optional<StoredSandbox> read_sandbox(const std::filesystem::path& state_dir, const SandboxId& id) {
  const auto text = read_file(state_dir / kSandboxFile);
  if (!text) return std::nullopt;
  try {
    const Json json = Json::parse(*text);
    StoredSandbox sandbox;
    sandbox.id.value = json.at("id");
    sandbox.cookie = json.at("cookie");
    sandbox.socket = json.at("socket").get<std::string>();
    sandbox.api = json.at("api");
    sandbox.podman = json.value("podman", false);  // older versions wrote none
    sandbox.container = json.at("container");
    sandbox.workspace = json.at("workspace").get<std::string>();
    sandbox.work = json.at("work").get<std::string>();
    for (const Json& service : json.at("logged"))
      sandbox.logged.push_back({service.at("image"), service.at("container")});
    sandbox.services = json.value("services", std::size_t{0});
    if (sandbox.id != id) return std::nullopt;
    return sandbox;
  } catch (const Json::exception&) {
    throw Error(ErrorCode::corrupt, "'" + (state_dir / kSandboxFile).native() +
                                        "' is damaged; remove the sandbox's "
                                        "containers by hand, by their label " +
                                        "io.runner.sandbox");
  }
}

}  // namespace runner::executors
