#pragma once
// A target that we do not know, by four commands of whoever does. They run here, with a POSIX shell and
//
//   RUNNER_FENCE RUNNER_DEPLOYMENT_ID RUNNER_ENVIRONMENT    the token, whose it is, and in which sequence
//   RUNNER_BASE_RELEASE RUNNER_CANDIDATE_RELEASE    what ran, and what shall
//   RUNNER_BATCH RUNNER_WEIGHT                      1; percent of the traffic that the candidate gets
//   RUNNER_ARTIFACT RUNNER_IMAGE                    prepare only: the archive here, the image by its digest
//
// and end with 0 when it was done, 75 when that is not known yet or must be tried again (they are, until
// their time is over), and anything else when it failed. They may come again for what is done already.
//
// `prepare` brings a release there. `activate` makes the candidate get RUNNER_WEIGHT percent, `rollback`
// makes the base get all again, and after both `verify` says whether what runs is right. There is one unit,
// "script". Slots are ours alone: the one that was placed last is the candidate.
//
// A command's process group is killed when it is to stop, and when we die; what it had begun elsewhere is for
// it to know, by the token. Until then its lock is kept.

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "deployments/balancer.h"
#include "deployments/target.h"
#include "deployments/targets/token_file.h"

namespace runner::deployments {

struct ScriptState;

struct ScriptOptions {
  std::string prepare, activate, verify, rollback;  // an empty one has nothing to do; `activate` has
  std::filesystem::path directory;  // of ours: the token, and what was told so far; one for each environment
  std::map<std::string, std::string> environment;  // besides ours, which is not passed on, and what is above
  std::chrono::milliseconds timeout{600'000};      // of each command, with all that it is tried again
  std::chrono::milliseconds between_tries{5'000};
  TellLine tell;  // gets the output of the four; may be empty
};

class ScriptTarget final : public Target {
 public:
  /// Throws Error{invalid_input}; makes the directory.
  explicit ScriptTarget(ScriptOptions options);

  const std::vector<std::string>& units() const override { return units_; }
  bool has_slots() const override { return true; }
  std::uint64_t seen_token(const std::string& unit, std::stop_token stop) override;
  void claim(const std::string& unit, const Fence& fence, std::chrono::milliseconds patience,
             std::stop_token stop) override;
  void prepare(const std::string& unit, const Release& release, std::stop_token stop) override;
  bool is_prepared(const std::string& unit, const std::string& release, std::stop_token stop) override;
  /// What was told and done; nobody is asked.
  UnitState observe(const std::string& unit, std::stop_token stop) override;
  void place(const std::string& unit, Slot slot, const std::string& release, std::stop_token stop) override;
  /// Of `single`: `activate` with 100, or `rollback` when what was placed is what this deployment has
  /// replaced; then `verify`. Of the others only the balancer's twin has an effect.
  void start(const std::string& unit, Slot slot, std::stop_token stop) override;
  void halt(const std::string& unit, Slot slot, std::chrono::milliseconds grace,
            std::stop_token stop) override;
  Endpoint endpoint(const std::string& unit, Slot slot) const override;
  /// Runs here. One that shall survive is killed with us all the same, but never begun twice: where it
  /// neither lives nor left an end it is unknown.
  CommandResult run(const std::string& unit, Slot slot, const TargetCommand& command, const TellLine& tell,
                    std::stop_token stop) override;
  void clean(const std::string& unit, std::size_t keep, const std::vector<std::string>& named,
             std::stop_token stop) override;
  void leave(const std::string& unit) noexcept override;

 private:
  friend class ScriptBalancer;
  Fence fence() const;
  UniqueFd hold(const std::string& what, const std::stop_token& stop) const;
  std::filesystem::path state_file() const { return options_.directory / "state"; }
  std::map<std::string, std::string> surroundings(const std::string& base, const std::string& candidate,
                                                  unsigned weight) const;
  /// Tries until it is known. Throws Error.
  void step(const std::string& name, const std::string& command,
            const std::map<std::string, std::string>& environment, const UniqueFd& lock,
            const std::stop_token& stop) const;

  ScriptOptions options_;
  std::vector<std::string> units_{"script"};
  TokenFile token_;
  mutable std::mutex mutex_;
  Fence fence_;  // token 0: not claimed
};

/// The traffic of a script target's slots: its commands move it. `target` outlives it.
class ScriptBalancer final : public Balancer {
 public:
  explicit ScriptBalancer(ScriptTarget& target) : target_(target) {}
  bool has_weights() const override { return true; }
  bool has_counters() const override { return false; }
  std::map<Place, ServerState> observe(const std::vector<Place>& places, std::stop_token stop) override;
  /// `activate` with the share of the slot that was placed last, or `rollback` when it had one and gets none;
  /// then `verify`. Nothing when its share stays.
  void set(const std::map<Place, ServerState>& states, std::stop_token stop) override;
  /// True: the commands have waited, if anybody does.
  bool wait_drained(const std::vector<Place>& places, std::chrono::milliseconds patience,
                    std::stop_token stop) override;
  /// Throws Error{conflict}: it counts nothing.
  std::map<Place, ServerCounters> counters(const std::vector<Place>& places, std::stop_token stop) override;

 private:
  ScriptTarget& target_;
};

}  // namespace runner::deployments
