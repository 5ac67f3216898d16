#pragma once
// What the engine keeps of a service of a compose target, as records (compose_engine.h): who may change it,
// what its places (compose_places.h) hold, what of releases is there. Internal to this folder; any thread;
// blocks on the engine.
//
// The fence is a record for each token, made before anything else, and one for all places: who deploys to one
// of them has them all, also those that another file has or had. Of two deployments with the same token the
// engine lets one make it. What a place holds is the record with the highest token, and of those the highest
// number; a new token takes over what there is under itself first. So a record that an orphan still makes
// is of no effect, however late it comes.

#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "deployments/target.h"
#include "deployments/targets/compose_engine.h"

namespace runner::deployments {

/// What is kept of a release for one place.
struct PreparedRelease {
  std::string release, image;
  std::string config;   // JSON of the compose file as it was rendered for the place
  bool pulled = false;  // the image was not there before
  std::int64_t at = 0;  // seconds since 1970
  std::uint64_t token = 0;
  std::string record;
};

class ComposeState {
 public:
  /// `engine` outlives it.
  ComposeState(ComposeEngine& engine, const std::string& project, const std::string& service);

  const Labels& unit_labels() const noexcept { return unit_; }

  std::uint64_t highest_token(const std::stop_token& stop) const;
  /// Takes the token, or shows that it is still the highest. Throws StaleFence; Error{conflict} when the unit
  /// is another environment's.
  void present(const Fence& fence, const std::stop_token& stop) const;
  /// After present(): what places hold is under this token from now on, and lower ones are forgotten.
  void take_over(const Fence& fence, const std::stop_token& stop) const;

  /// The release that each place holds.
  std::map<std::string, std::string> places(const std::stop_token& stop) const;
  void hold(const Fence& fence, const std::string& place, const std::string& release,
            const std::stop_token& stop) const;
  /// It holds nothing any more, and nothing is prepared for it.
  void forget(const std::string& place, const std::stop_token& stop) const;

  void keep(const Fence& fence, const std::string& place, const PreparedRelease& release,
            const std::stop_token& stop) const;
  /// Of all releases; of each the newest, by place.
  std::map<std::string, std::map<std::string, PreparedRelease>> releases(const std::stop_token& stop) const;

  /// That a command is about to be begun; never forgotten before the deployment after it.
  void begin_command(const Fence& fence, const std::string& name, const std::stop_token& stop) const;
  bool was_begun(const Fence& fence, const std::string& name, const std::stop_token& stop) const;

 private:
  std::vector<EngineRecord> records(const char* kind, const std::stop_token& stop) const;
  Labels labels_for(const char* kind, const Fence& fence) const;
  std::string name_of(const std::string& what) const;
  void check(const Fence& fence, const EngineRecord& record) const;

  ComposeEngine& engine_;
  const std::string prefix_, service_;
  const Labels unit_;
};

}  // namespace runner::deployments
