#include "executors/containers/container_executor.h"

#include <unistd.h>

#include <utility>

#include "executors/containers/engine_things.h"
#include "executors/containers/images.h"
#include "executors/containers/services.h"
#include "executors/step_place.h"
#include "runner/base/error.h"
#include "runner/base/files.h"

namespace runner::executors {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::seconds kLeftoversTime{30};

void check(const SandboxSpec& spec) {
  if (!spec.container) throw Error(ErrorCode::invalid_input, "no image given");
  if (spec.container->image.pull.empty())
    throw Error(ErrorCode::invalid_input, "image '" + spec.container->image.name + "' has no pull policy");
  if (!spec.workspace.is_absolute())
    throw Error(ErrorCode::invalid_input,
                "the workspace '" + spec.workspace.native() + "' of a container needs a full path");
  if (!spec.overlay && !names_directory(spec.workspace))
    throw Error(ErrorCode::not_found, "the workspace '" + spec.workspace.native() + "' is not a directory");
  if (spec.overlay && spec.overlay->lowers.empty())
    throw Error(ErrorCode::invalid_input, "an overlay needs at least one lower layer");
}

void link_to(const fs::path& target, const fs::path& link) {
  if (::symlink(target.c_str(), link.c_str()) != 0) throw_errno("cannot make '" + link.native() + "'");
}

// Names that a mount takes: short, and without the characters it splits its options at.
void link_layers(const fs::path& links, const OverlayMount& overlay) {
  remove_tree(links);
  make_directories(links, 0700);
  for (std::size_t i = 0; i < overlay.lowers.size(); ++i)
    link_to(fs::absolute(overlay.lowers[i]), links / std::to_string(i));
  link_to(fs::absolute(overlay.upper), links / "u");
  link_to(fs::absolute(overlay.work), links / "w");
}

/// All that there may be, in an order in which it can be removed.
std::vector<EngineThing> things_of(const ContainerNames& names, const StoredSandbox& stored) {
  std::vector<EngineThing> things = {{ThingKind::container, names.build(), stored.id.value}};
  for (std::size_t i = 0; i < stored.services; ++i)
    things.push_back({ThingKind::container, names.service(i), stored.id.value});
  if (stored.services > 0) things.push_back({ThingKind::network, names.base, stored.id.value});
  if (!stored.work.empty()) things.push_back({ThingKind::volume, names.base, stored.id.value});
  return things;
}

void remove_all(const EngineApi& api, const std::vector<EngineThing>& things, Deadline deadline) {
  for (const EngineThing& thing : things) remove_thing(api, thing, deadline);
}

}  // namespace

ContainerExecutor::ContainerExecutor(const Launcher& launcher, ContainerOptions options, StepLife life)
    : options_(std::move(options)), starter_{launcher, options_.program, life} {}

Capabilities ContainerExecutor::probe() {
  EngineApi(options_.socket).agree();
  return {true, true, true, true};
}

std::unique_ptr<Sandbox> ContainerExecutor::prepare(const SandboxSpec& spec, LogSink& sink,
                                                    std::stop_token stop) {
  if (stop.stop_requested()) throw Error(ErrorCode::cancelled, "the preparation was cancelled");
  check(spec);
  const ContainerSpec& container = *spec.container;
  EngineApi api(options_.socket);
  api.agree(stop);
  const ContainerNames names = container_names(options_.owner, spec.id, spec.labels);
  StoredSandbox stored{
      spec.id,      random_cookie(), options_.socket, api.api(),
      api.podman(), names.build(),   spec.workspace,  spec.overlay ? spec.overlay->work : fs::path()};
  stored.services = container.services.size();
  if (container.service_logs)
    for (std::size_t i = 0; i < container.services.size(); ++i)
      stored.logged.push_back({container.services[i].image.name, names.service(i)});
  // It is written before anything is made: whoever was killed while preparing it has left one.
  const bool again = fs::exists(spec.state_dir / kSandboxFile);
  write_sandbox(spec.state_dir, stored);
  if (again) {
    const auto soon = std::chrono::steady_clock::now() + kLeftoversTime;
    remove_all(api, find_things(api, options_.owner, spec.id, soon), soon);
  }

  const ImageRecords records(options_.images);
  const ImageFacts image = provide_image(api, container.image, container.logins, sink, stop, records);
  std::vector<ImageFacts> service_images;
  for (const ContainerService& service : container.services)
    service_images.push_back(provide_image(api, service.image, container.logins, sink, stop, records));

  const fs::path files = spec.state_dir / kFilesDirectory;
  make_directories(files, 0755);
  if (spec.overlay) make_volume(api, spec, names, stop);
  const auto services = container.services.empty()
                            ? std::vector<StartedService>()
                            : start_services(api, spec, names, service_images, options_.ulimits, stop);
  make_container(api, spec, names, image, stop);
  wait_for_services(api, services, container.service_wait, sink, stop);
  if (!stored.logged.empty()) pass_service_logs(api, stored.logged, spec.state_dir / kServiceLogMarker, sink);
  return make_container_sandbox(starter_, spec.state_dir, std::move(stored), false);
}

void ContainerExecutor::make_container(const EngineApi& api, const SandboxSpec& spec,
                                       const ContainerNames& names, const ImageFacts& image,
                                       const std::stop_token& stop) const {
  const std::string files = fs::absolute(spec.state_dir / kFilesDirectory).native();
  SandboxSpec full = spec;
  if (spec.container->engine_socket)
    add_engine_socket(full, fs::canonical(options_.socket).native(), api.podman());
  const EngineAnswer made = api.call({"POST", "/containers/create?name=" + names.build(),
                                      build_body(full, names, image, files, options_.ulimits)},
                                     stop);
  if (!made.ok()) throw_engine_error(made, "make a container of '" + spec.container->image.name + "'");
}

void ContainerExecutor::make_volume(const EngineApi& api, const SandboxSpec& spec,
                                    const ContainerNames& names, const std::stop_token& stop) const {
  const fs::path links = fs::absolute(spec.state_dir) / kLinksDirectory;
  link_layers(links, *spec.overlay);
  const std::string options = overlay_options(links.native(), spec.overlay->lowers.size());
  api.expect({"POST", "/volumes/create", volume_body(names, options)}, "make the volume of the workspace",
             stop);
}

std::unique_ptr<Sandbox> ContainerExecutor::reopen(const SandboxId& id, const fs::path& state_dir) {
  auto stored = read_sandbox(state_dir, id);
  if (!stored) return nullptr;
  return make_container_sandbox(starter_, state_dir, std::move(*stored), true);
}

void ContainerExecutor::destroy(const SandboxId& id, const fs::path& state_dir, Deadline deadline) {
  const auto stored = read_sandbox(state_dir, id);
  if (!stored) return;
  const EngineApi api(stored->socket, stored->api, stored->podman);
  // The container first: what follows it then ends by itself.
  try {
    remove_all(api, things_of(container_names(options_.owner, id, {}), *stored), deadline);
  } catch (Error& error) {
    error.add_context("sandbox '" + id.value + "' cannot be removed");
    throw;
  }
  end_steps(state_dir, stored->cookie, deadline);
  remove_tree(state_dir / kFilesDirectory);
  remove_tree(state_dir / kLinksDirectory);
  remove_tree(state_dir / kServiceLogMarker);
  remove_tree(state_dir / kSandboxFile);  // last: until then destroy() can be repeated
}

std::size_t ContainerExecutor::sweep(const std::function<bool(const std::string& sandbox)>& is_live,
                                     Deadline deadline) {
  EngineApi api(options_.socket);
  api.agree();
  std::size_t removed = 0;
  std::optional<Error> first;
  for (const EngineThing& thing : find_things(api, options_.owner, std::nullopt, deadline)) {
    try {
      if (is_live(thing.sandbox)) continue;
      remove_thing(api, thing, deadline);
      ++removed;
    } catch (const Error& error) {
      if (!first) first = error;
    }
  }
  if (first) throw *first;
  return removed;
}

}  // namespace runner::executors
