#pragma once
// One service of a compose file, on the container engine of this machine: Docker, or Podman, which speaks the
// same API. docker-compose renders the file and makes containers; all else is asked of the engine.
//
// There is one unit, named as the service; or one for each replica, SERVICE-1 and so on. What the target
// knows is kept in the engine (compose_state.h): a release with the file as it was rendered for each place
// (compose_places.h), so that going back needs neither the workspace nor the variables of then; what the
// places hold; the fence, which is one for all units.
//
// The fence. Each verb shows it to the engine before it acts, and one that makes a container by
// docker-compose once more after. Guaranteed: once claim() has returned, no earlier deployment begins a verb
// or a step of one, and none puts a release into a slot, not even by a request that was on its way. Not
// guaranteed, as engines know no fences: that a single request to start, stop or make a container, sent
// before, is not carried out a moment later. docker-compose ends with whoever started it, so there is one
// such request at most. Whoever claimed meanwhile halts before it starts, and looks at what the slots hold.

#include <memory>
#include <mutex>
#include <set>

#include "deployments/target.h"
#include "deployments/targets/compose_engine.h"
#include "deployments/targets/compose_options.h"
#include "deployments/targets/compose_places.h"
#include "deployments/targets/compose_state.h"

namespace runner::deployments {

class ComposeTarget final : public Target {
 public:
  /// Throws Error{invalid_input}. Reaches nothing.
  explicit ComposeTarget(ComposeOptions options);

  const std::vector<std::string>& units() const override { return places_.units(); }
  bool has_slots() const override { return places_.has_slots(); }
  /// Other places of the service in which containers run: replicas beyond those that there are now, and those
  /// of another strategy. They may be halted.
  std::vector<std::pair<std::string, Slot>> left_over(std::stop_token stop) override;

  std::uint64_t seen_token(const std::string& unit, std::stop_token stop) override;
  /// The token is taken even while a command that survived its deployer still runs, which then is waited for.
  /// Other commands of earlier deployments are killed. Throws Error{conflict} when the project is another
  /// environment's.
  void claim(const std::string& unit, const Fence& fence, std::chrono::milliseconds patience,
             std::stop_token stop) override;
  /// Pulls the image by its digest unless it is there, and renders the file. `release.config` is the compose
  /// file and nothing else. A release without an image (one that goes on after a crash) must be there.
  void prepare(const std::string& unit, const Release& release, std::stop_token stop) override;
  bool is_prepared(const std::string& unit, const std::string& release, std::stop_token stop) override;
  UnitState observe(const std::string& unit, std::stop_token stop) override;
  void place(const std::string& unit, Slot slot, const std::string& release, std::stop_token stop) override;
  /// What runs there and is another release is ended first. Of the same release and the same file the
  /// container that is there is started again. Throws Error{conflict} when the project has a container of
  /// the service that is not ours.
  void start(const std::string& unit, Slot slot, std::stop_token stop) override;
  void halt(const std::string& unit, Slot slot, std::chrono::milliseconds grace,
            std::stop_token stop) override;
  Endpoint endpoint(const std::string& unit, Slot slot) const override;
  /// In the running container of the slot; or, when it survives us or names a release, in a container of its
  /// own with the service's image, environment and networks, which the engine keeps until another deployment
  /// cleans.
  CommandResult run(const std::string& unit, Slot slot, const TargetCommand& command, const TellLine& tell,
                    std::stop_token stop) override;
  /// Images that we pulled for them, containers of commands, and places that are not used any more. Nothing
  /// that is in use, or another's. Of several units the first does it for all.
  void clean(const std::string& unit, std::size_t keep, const std::vector<std::string>& named,
             std::stop_token stop) override;
  void leave(const std::string& unit) noexcept override;

 private:
  Fence claimed(const std::string& unit, const std::stop_token& stop) const;
  std::vector<EngineContainer> containers_of(const std::string& place, const std::stop_token& stop) const;
  /// Of places that are not in use.
  std::vector<EngineContainer> left_containers(const std::stop_token& stop) const;
  void forget_left(const Fence& fence, const std::stop_token& stop) const;
  std::vector<EngineContainer> commands(const std::stop_token& stop) const;
  PreparedRelease prepared(const std::string& release, const std::string& place,
                           const std::stop_token& stop) const;
  /// False: it was there.
  bool bring_image(const std::string& unit, const std::string& image, const std::stop_token& stop) const;
  std::string render(const Release& release, const std::string& place, const std::stop_token& stop) const;
  /// Makes what the file says; `words` of docker-compose.
  void make(const std::string& place, const std::string& file, std::vector<std::string> words,
            const std::stop_token& stop) const;
  void bring_up(const Fence& fence, const std::string& place, const std::string& release,
                const std::stop_token& stop) const;
  std::string make_command(const Fence& fence, const std::string& unit, Slot slot,
                           const TargetCommand& command, const std::stop_token& stop) const;
  Labels labels_for(const Fence& fence, const std::string& place, const std::string& release) const;

  const ComposeOptions options_;
  const ComposePlaces places_;
  mutable ComposeEngine engine_;
  const ComposeState state_;
  mutable std::mutex mutex_;
  Fence fence_;  // of all units that were claimed
  std::set<std::string> claimed_;
  mutable std::mutex claiming_, pulling_;
};

}  // namespace runner::deployments
