#include "deployments/targets/compose_target.h"

#include <poll.h>

#include <algorithm>
#include <set>
#include <utility>

#include "deployments/targets/compose_file.h"
#include "deployments/targets/compose_program.h"
#include "deployments/targets/release_upload.h"
#include "executors/containers/images.h"
#include "runner/base/digest.h"
#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/text.h"

namespace runner::deployments {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kBetweenLooks{200}, kOtherGrace{10'000};

/// The lines of a pull.
class PullLines final : public executors::LogSink {
 public:
  PullLines(const TellLine& tell, const std::string& unit) : tell_(tell), unit_(unit) {}
  void write(executors::Stream, std::span<const std::byte> bytes) noexcept override {
    if (!tell_) return;
    const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    for (const std::string_view line : split(text, '\n'))
      if (!trim(line).empty()) tell_(unit_, line);
  }

 private:
  const TellLine& tell_;
  const std::string& unit_;
};

}  // namespace

ComposeTarget::ComposeTarget(ComposeOptions options)
    : options_(std::move(options)),
      places_(options_),
      engine_(options_.socket),
      state_(engine_, options_.project, options_.service) {
  check_compose_options(options_);
}

Endpoint ComposeTarget::endpoint(const std::string& unit, Slot slot) const {
  return {"127.0.0.1", places_.port(places_.at(unit, slot))};
}

std::uint64_t ComposeTarget::seen_token(const std::string& unit, std::stop_token stop) {
  places_.of(unit);
  return state_.highest_token(stop);
}

Fence ComposeTarget::claimed(const std::string& unit, const std::stop_token& stop) const {
  places_.at(unit, Slot::single);
  Fence fence;
  {
    const std::lock_guard lock(mutex_);
    // One that is not in use any more goes with the others.
    const auto& units = places_.units();
    const bool used = std::find(units.begin(), units.end(), unit) != units.end();
    if (used ? claimed_.count(unit) > 0 : !claimed_.empty()) fence = fence_;
  }
  if (fence.token == 0)
    throw Error(ErrorCode::conflict, "service " + in_quotes(unit) + " was not claimed for this deployment");
  state_.present(fence, stop);
  return fence;
}

void ComposeTarget::claim(const std::string& unit, const Fence& fence, milliseconds patience,
                          std::stop_token stop) {
  places_.of(unit);
  if (fence.token == 0 || fence.token > static_cast<std::uint64_t>(INT64_MAX) || fence.deployment.empty())
    throw Error(ErrorCode::invalid_input, "a fence needs a token from 1 on, and the deployment it is of");
  {
    // It is that of all places: the first takes it, the others find it.
    const std::lock_guard lock(claiming_);
    state_.present(fence, stop);
    state_.take_over(fence, stop);
  }
  const auto deadline = std::chrono::steady_clock::now() + patience;
  for (;;) {
    std::string waits_for;
    for (const EngineContainer& one : commands(stop)) {
      if (!one.active || token_of(one.labels) >= fence.token) continue;
      const bool ours = label_of(one.labels, label::kDeployment) == fence.deployment;
      if (ours && label_of(one.labels, label::kSurvives) == "yes") continue;
      if (label_of(one.labels, label::kSurvives) == "yes")
        waits_for = in_quotes(label_of(one.labels, label::kCommand)) + " of deployment " +
                    label_of(one.labels, label::kDeployment);
      else
        engine_.kill(one.id, stop);
    }
    if (waits_for.empty()) break;
    if (std::chrono::steady_clock::now() >= deadline)
      throw Error(ErrorCode::timeout,
                  "the command " + waits_for + " still runs for service " + in_quotes(unit));
    ::poll(nullptr, 0, static_cast<int>(kBetweenLooks.count()));
    if (stop.stop_requested()) throw Error(ErrorCode::cancelled, "cancelled");
    state_.present(fence, stop);
  }
  const std::lock_guard lock(mutex_);
  fence_ = fence;
  claimed_.insert(unit);
}

bool ComposeTarget::bring_image(const std::string& unit, const std::string& image,
                                const std::stop_token& stop) const {
  // Of several units one pulls, and the others find it there.
  const std::lock_guard lock(pulling_);
  if (engine_.has_image(image, stop)) return false;
  executors::ContainerImage wanted;
  wanted.name = image;
  wanted.pull = {executors::PullPolicy::if_not_present};
  const registry::Reference reference = registry::parse_reference(image);
  std::vector<executors::RegistryLogin> logins;
  if (const auto login = options_.logins.find(reference, stop))
    logins.push_back({reference.repository(), login->username, login->password, login->identity_token});
  PullLines lines(options_.tell, unit);
  executors::provide_image(engine_.api(stop), wanted, logins, lines, stop);
  return true;
}

std::string ComposeTarget::render(const Release& release, const std::string& place,
                                  const std::stop_token& stop) const {
  const auto port = places_.port(place);
  ComposeCall call{places_.project(place), release.config.front().local, {"config"}, options_.variables,
                   engine_.socket(),       options_.directory,           {}};
  call.variables[options_.image_variable] = release.image;
  if (port != 0) call.variables[options_.port_variable] = std::to_string(port);
  // Of several it says the same.
  const std::string& first = places_.units().front();
  if (options_.tell && place == places_.of(first).front())
    call.on_line = [&](std::string_view line) { options_.tell(first, line); };
  const std::string rendered = run_compose(call, stop);
  const bool several = has_slots() || !options_.replicas.empty();
  return compose_config(
      rendered, {options_.service, release.image, port, options_.port_variable, several, options_.workspace});
}

void ComposeTarget::prepare(const std::string& unit, const Release& release, std::stop_token stop) {
  const Fence fence = claimed(unit, stop);
  check_release_id(release.id);
  if (release.image.empty()) {
    if (is_prepared(unit, release.id, stop)) return;
    throw Error(ErrorCode::not_found,
                "the release " + in_quotes(release.id) +
                    " is not there, and its image is not known any more; deploy it anew");
  }
  if (release.artifact)
    throw Error(ErrorCode::invalid_input, "a compose file has services of images: write release:image");
  if (release.config.size() != 1)
    throw Error(ErrorCode::invalid_input, "a release of a compose target has one file, the compose file");
  make_directories(options_.directory, 0700);
  const bool pulled = bring_image(unit, release.image, stop);
  std::map<std::string, std::string> configs;
  for (const std::string& place : places_.of(unit)) configs[place] = render(release, place, stop);
  state_.present(fence, stop);
  const auto known = state_.releases(stop);
  for (const auto& [place, config] : configs) {
    PreparedRelease one;
    one.release = release.id;
    one.image = release.image;
    one.config = config;
    one.pulled = pulled;
    if (const auto before = known.find(release.id); before != known.end())
      if (const auto same = before->second.find(place); same != before->second.end())
        one.pulled = one.pulled || same->second.pulled;
    state_.keep(fence, place, one, stop);
  }
}

bool ComposeTarget::is_prepared(const std::string& unit, const std::string& release, std::stop_token stop) {
  const std::vector<std::string> places = places_.of(unit);
  check_release_id(release);
  const auto all = state_.releases(stop);
  const auto found = all.find(release);
  if (found == all.end()) return false;
  const bool rendered = std::all_of(places.begin(), places.end(),
                                    [&](const std::string& place) { return found->second.count(place) > 0; });
  return rendered && engine_.has_image(found->second.begin()->second.image, stop);
}

std::vector<EngineContainer> ComposeTarget::containers_of(const std::string& place,
                                                          const std::stop_token& stop) const {
  const std::string project = places_.project(place);
  std::vector<EngineContainer> all =
      engine_.containers({{label::kProject, project}, {label::kService, options_.service}}, stop);
  for (const EngineContainer& one : all)
    if (label_of(one.labels, label::kUnit) != label_of(state_.unit_labels(), label::kUnit))
      throw Error(ErrorCode::conflict, "the compose project " + in_quotes(project) +
                                           " has a container of the service " + in_quotes(options_.service) +
                                           " that no deployment made, " + one.id.substr(0, 12) +
                                           "; remove it, or give the environment another name");
  return all;
}

std::vector<EngineContainer> ComposeTarget::commands(const std::stop_token& stop) const {
  std::vector<EngineContainer> all = engine_.containers(state_.unit_labels(), stop);
  all.erase(std::remove_if(all.begin(), all.end(),
                           [](const auto& one) { return label_of(one.labels, label::kCommand).empty(); }),
            all.end());
  return all;
}

std::vector<EngineContainer> ComposeTarget::left_containers(const std::stop_token& stop) const {
  std::vector<EngineContainer> all = engine_.containers(state_.unit_labels(), stop);
  all.erase(std::remove_if(all.begin(), all.end(),
                           [&](const auto& one) {
                             const std::string& place = label_of(one.labels, label::kSlot);
                             return !label_of(one.labels, label::kCommand).empty() || place.empty() ||
                                    places_.is_used(place);
                           }),
            all.end());
  return all;
}

std::vector<std::pair<std::string, Slot>> ComposeTarget::left_over(std::stop_token stop) {
  std::set<std::pair<std::string, Slot>> left;
  for (const EngineContainer& one : left_containers(stop))
    if (one.active) left.insert(places_.unit_of(label_of(one.labels, label::kSlot)));
  return {left.begin(), left.end()};
}

UnitState ComposeTarget::observe(const std::string& unit, std::stop_token stop) {
  places_.at(unit, Slot::single);
  bool claims = false;
  {
    const std::lock_guard lock(mutex_);
    claims = fence_.token != 0;
  }
  if (claims) claimed(unit, stop);
  const auto held = state_.places(stop);
  UnitState state;
  for (const Slot slot : places_.slots()) {
    SlotState& now = state[slot];
    const std::string place = places_.at(unit, slot);
    const auto found = held.find(place);
    if (found != held.end()) now.release = found->second;
    for (const EngineContainer& one : containers_of(place, stop)) {
      // Somebody has removed the records, as `docker volume prune` does: what is there speaks for itself.
      if (found == held.end() && now.release.empty()) now.release = label_of(one.labels, label::kRelease);
      now.running = now.running || (one.active && !now.release.empty() &&
                                    label_of(one.labels, label::kRelease) == now.release);
    }
  }
  return state;
}

PreparedRelease ComposeTarget::prepared(const std::string& release, const std::string& place,
                                        const std::stop_token& stop) const {
  const auto all = state_.releases(stop);
  const auto found = all.find(release);
  if (found == all.end())
    throw Error(ErrorCode::not_found, "the release " + in_quotes(release) + " is not there");
  const auto of_place = found->second.find(place);
  if (of_place == found->second.end())
    throw Error(ErrorCode::not_found,
                "the release " + in_quotes(release) + " was not prepared for the place " + in_quotes(place));
  return of_place->second;
}

void ComposeTarget::place(const std::string& unit, Slot slot, const std::string& release,
                          std::stop_token stop) {
  const Fence fence = claimed(unit, stop);
  const std::string where = places_.at(unit, slot);
  // "": nothing, as it was before the first.
  if (!release.empty()) {
    check_release_id(release);
    const std::vector<EngineContainer> there = containers_of(where, stop);
    const bool has_one = std::any_of(there.begin(), there.end(), [&](const EngineContainer& one) {
      return label_of(one.labels, label::kRelease) == release;
    });
    if (!has_one) prepared(release, where, stop);
  }
  state_.hold(fence, where, release, stop);
}

Labels ComposeTarget::labels_for(const Fence& fence, const std::string& place,
                                 const std::string& release) const {
  Labels labels = state_.unit_labels();
  labels[label::kEnvironment] = fence.environment;
  labels[label::kDeployment] = fence.deployment;
  labels[label::kToken] = std::to_string(fence.token);
  labels[label::kRelease] = release;
  labels[label::kSlot] = place;
  return labels;
}

void ComposeTarget::make(const std::string& place, const std::string& file, std::vector<std::string> words,
                         const std::stop_token& stop) const {
  make_directories(options_.directory, 0700);
  // It holds what the variables of the compose file were.
  const TempDir own("compose-", options_.directory);
  const std::filesystem::path path = own.path() / "docker-compose.json";
  write_file_atomic(path, file, 0600, false);
  ComposeCall call{places_.project(place), path, std::move(words), {}, engine_.socket(),
                   options_.directory,     {}};
  const std::string unit = places_.unit_of(place).first;
  if (options_.tell) call.on_line = [&](std::string_view line) { options_.tell(unit, line); };
  run_compose(call, stop);
}

void ComposeTarget::bring_up(const Fence& fence, const std::string& place, const std::string& release,
                             const std::stop_token& stop) const {
  const PreparedRelease kept = prepared(release, place, stop);
  const std::string unit = places_.unit_of(place).first;
  // Somebody may have removed it since, and docker-compose knows no logins of ours.
  if (bring_image(unit, kept.image, stop)) state_.present(fence, stop);
  Labels labels = labels_for(fence, place, release);
  labels[label::kConfig] = sha256_hex(kept.config);
  make(place, service_file(kept.config, options_.service, labels),
       {"up", "-d", "--no-deps", "--no-build", options_.service}, stop);
  state_.present(fence, stop);
  const std::vector<EngineContainer> made = containers_of(place, stop);
  if (made.empty() || label_of(made.front().labels, label::kRelease) != release)
    throw Error(ErrorCode::unavailable, "docker-compose has made no container of the release " +
                                            in_quotes(release) + " for service " + in_quotes(unit));
}

void ComposeTarget::start(const std::string& unit, Slot slot, std::stop_token stop) {
  const Fence fence = claimed(unit, stop);
  const UnitState seen = observe(unit, stop);
  const auto held = seen.find(slot);
  if (held == seen.end() || held->second.release.empty())
    throw Error(ErrorCode::not_found, "service " + in_quotes(unit) + " holds no release in its place " +
                                          in_quotes(to_string(slot)));
  const std::string& release = held->second.release;
  const std::string place = places_.at(unit, slot);
  std::vector<EngineContainer> there = containers_of(place, stop);
  bool runs = false;
  for (const EngineContainer& one : there) {
    if (!one.active) continue;
    if (label_of(one.labels, label::kRelease) == release)
      runs = true;
    else
      engine_.end(one.id, kOtherGrace, stop);
  }
  if (runs) return;
  // More than one is what a docker-compose that was killed half-way leaves.
  for (std::size_t n = 1; n < there.size(); ++n) engine_.remove(there[n].id, stop);
  state_.present(fence, stop);
  if (!there.empty() && label_of(there.front().labels, label::kRelease) == release) {
    const auto all = state_.releases(stop);
    const auto found = all.find(release);
    const bool same =
        found == all.end() || found->second.count(place) == 0 ||
        sha256_hex(found->second.at(place).config) == label_of(there.front().labels, label::kConfig);
    if (same) return engine_.start(there.front().id, stop);
  }
  bring_up(fence, place, release, stop);
}

void ComposeTarget::halt(const std::string& unit, Slot slot, milliseconds grace, std::stop_token stop) {
  claimed(unit, stop);
  for (const EngineContainer& one : containers_of(places_.at(unit, slot), stop))
    if (one.active) engine_.end(one.id, grace, stop);
}

void ComposeTarget::forget_left(const Fence& fence, const std::stop_token& stop) const {
  std::set<std::string> running, gone;
  for (const EngineContainer& one : left_containers(stop))
    (one.active ? running : gone).insert(label_of(one.labels, label::kSlot));
  for (const auto& [place, release] : state_.places(stop))
    if (!places_.is_used(place)) gone.insert(place);
  for (const auto& [release, prepared] : state_.releases(stop))
    for (const auto& [place, one] : prepared)
      if (!places_.is_used(place)) gone.insert(place);
  for (const std::string& place : gone) {
    if (running.count(place) > 0) continue;
    state_.present(fence, stop);
    for (const EngineContainer& one : containers_of(place, stop)) engine_.remove(one.id, stop);
    state_.forget(place, stop);
  }
}

void ComposeTarget::clean(const std::string& unit, std::size_t keep, const std::vector<std::string>& named,
                          std::stop_token stop) {
  const Fence fence = claimed(unit, stop);
  for (const std::string& id : named) check_release_id(id);
  // What is there is there for all units.
  if (unit != places_.units().front()) return;
  for (const EngineContainer& one : commands(stop))
    if (!one.active && label_of(one.labels, label::kDeployment) != fence.deployment)
      engine_.remove(one.id, stop);
  forget_left(fence, stop);
  std::set<std::string> kept(named.begin(), named.end());
  for (const auto& [place, release] : state_.places(stop)) kept.insert(release);
  for (const std::string& one : places_.units())
    for (const auto& [slot, now] : observe(one, stop)) kept.insert(now.release);
  const auto all = state_.releases(stop);
  std::vector<std::pair<std::int64_t, std::string>> others;
  for (const auto& [id, places] : all)
    if (kept.count(id) == 0) others.emplace_back(places.begin()->second.at, id);
  std::sort(others.rbegin(), others.rend());
  for (std::size_t n = 0; n < others.size() && n < keep; ++n) kept.insert(others[n].second);
  // One image may be that of two releases.
  std::set<std::string> used;
  for (const auto& [id, places] : all)
    if (kept.count(id) > 0)
      for (const auto& [place, one] : places) used.insert(one.image);
  for (const auto& [id, places] : all) {
    if (kept.count(id) > 0) continue;
    state_.present(fence, stop);
    for (const auto& [place, one] : places)
      if (one.pulled && used.count(one.image) == 0) engine_.remove_image(one.image, stop);
    for (const auto& [place, one] : places) engine_.forget(one.record, stop);
  }
}

void ComposeTarget::leave(const std::string& unit) noexcept {
  const std::lock_guard lock(mutex_);
  claimed_.erase(unit);
  if (claimed_.empty()) fence_ = {};
}

}  // namespace runner::deployments
