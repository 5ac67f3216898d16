#pragma once
// Where a deployment goes: hosts reached by ssh, services of a container engine, a script. What a deployment
// does is written once (driver.h) in the few verbs below; which of them in what order is the strategy's
// (strategy.h), and that it may be done at all the fence's.
//
// A unit is what is changed as a whole: a host, a service. A slot is one of the places on a unit where a
// release can run: one for `recreate` and `rolling`, two for `blue_green` and `canary`. Swarm and Kubernetes
// fit as one unit whose `start` is an update of the service and whose `ready` asks the orchestrator.
//
// All of it blocks, and asks `stop` while it waits. Verbs of different units may be called from different
// threads at once; those of one unit one after the other. Every verb may be repeated: what is done already
// is done again at no harm, which is what lets a deployment go on after a crash.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace runner::deployments {

/// One file of a release, as it lies on this machine.
struct ReleaseFile {
  std::string path;             // below the release's directory; relative, never climbs out
  std::filesystem::path local;  // here
  std::string sha256;           // hex, of its bytes
};

/// What is put there. Frozen when the deployment is planned: everything is named by what it holds.
struct Release {
  std::string id;     // names it on the target: [0-9a-f]{12,64}, of all below
  std::string image;  // NAME@sha256:HEX; or
  std::optional<ReleaseFile>
      artifact;                     // an archive (zip, tar.gz, tar.zst), unpacked on the target; or neither
  std::vector<ReleaseFile> config;  // rendered files, put beside
};

enum class Slot : std::uint8_t { single, blue, green };
/// "single", "blue", "green": stored, and shown.
std::string_view to_string(Slot slot) noexcept;
std::optional<Slot> parse_slot(std::string_view text) noexcept;

/// Who may change a target: of all that ever had one, the highest token of an environment. Targets keep the
/// highest they saw and refuse a lower one, and an equal one of another deployment, so that what a dead
/// deployer left running changes nothing any more.
struct Fence {
  std::string environment;  // project and environment: one sequence of tokens
  std::uint64_t token = 0;  // from 1
  std::string deployment;   // its id
};

/// The fence was refused: somebody else has a higher one. What it had begun is theirs now.
class StaleFence : public std::exception {
 public:
  StaleFence(const std::string& unit, std::uint64_t seen, const std::string& holder);
  const char* what() const noexcept override { return message_.c_str(); }
  std::uint64_t seen() const noexcept { return seen_; }  // the token on the target

 private:
  std::uint64_t seen_;
  std::string message_;
};

/// What a slot of a unit is seen to hold.
struct SlotState {
  std::string release;   // "" = nothing, or nothing of ours
  bool running = false;  // what runs is that release
  bool operator==(const SlotState&) const = default;
};
using UnitState = std::map<Slot, SlotState>;

/// Where what runs in a slot answers.
struct Endpoint {
  std::string host;
  std::uint16_t port = 0;  // 0: it has none
  bool operator==(const Endpoint&) const = default;
};

/// A command that is run on a unit, in the directory of a release.
struct TargetCommand {
  std::string name;                        // for logs and for finding it again: "migrate", "smoke"
  std::string script;                      // of a POSIX shell, with -e
  std::map<std::string, std::string> env;  // besides what the target sets itself
  std::chrono::milliseconds timeout{120'000};
  /// It goes on when we die, and the same name of the same deployment finds it again: its output and exit
  /// code are kept on the unit until they were read. Otherwise it is killed with its connection.
  bool survives = false;
  /// In whose directory; "" = the one the slot holds.
  std::string release = {};
};

enum class CommandEnd : std::uint8_t {
  exited,   // `exit_code` says how
  timeout,  // and was killed
  unknown,  // it was begun before, and neither lives nor left an exit code
};
struct CommandResult {
  CommandEnd end = CommandEnd::exited;
  int exit_code = 0;
  bool found_again = false;  // this call did not start it
};

/// Lines for people, and output of commands, without a newline. Any thread.
using TellLine = std::function<void(const std::string& unit, std::string_view line)>;

class Target {
 public:
  virtual ~Target() = default;

  virtual const std::vector<std::string>& units() const = 0;
  /// The slots a unit has for `blue_green` and `canary`: whether it has two.
  virtual bool has_slots() const = 0;
  /// Slots in which something of ours runs, but in no unit's that units() and has_slots() know: of replicas
  /// that are fewer now, of another strategy. halt() takes them.
  // NOLINTNEXTLINE(performance-unnecessary-value-param): as all verbs have it
  virtual std::vector<std::pair<std::string, Slot>> left_over(std::stop_token /*stop*/) { return {}; }

  /// The highest token a unit has seen, 0 = none, without taking anything.
  virtual std::uint64_t seen_token(const std::string& unit, std::stop_token stop) = 0;
  /// Presents the fence and keeps it for every verb that follows; each presents it again. Waits while
  /// a command of another deployer runs there, up to `patience`, then throws Error{timeout} that names it.
  /// Throws StaleFence, as does every verb below once the fence is stale; Error{unavailable} when the unit
  /// cannot be reached.
  virtual void claim(const std::string& unit, const Fence& fence, std::chrono::milliseconds patience,
                     std::stop_token stop) = 0;

  /// Brings the release there without effect on what runs: upload or pull, checked by its digest, whole or
  /// not at all. Throws Error; nothing of it is left then.
  virtual void prepare(const std::string& unit, const Release& release, std::stop_token stop) = 0;
  /// Whether the release is there, whole.
  virtual bool is_prepared(const std::string& unit, const std::string& release, std::stop_token stop) = 0;
  virtual UnitState observe(const std::string& unit, std::stop_token stop) = 0;

  /// The slot holds the release from now on, or nothing when it is ""; what runs in it goes on until it is
  /// halted.
  virtual void place(const std::string& unit, Slot slot, const std::string& release,
                     std::stop_token stop) = 0;
  /// Starts what the slot holds; what runs in it already and is that stays.
  virtual void start(const std::string& unit, Slot slot, std::stop_token stop) = 0;
  /// Asks it to end, waits up to `grace`, ends it. Fine when nothing runs.
  virtual void halt(const std::string& unit, Slot slot, std::chrono::milliseconds grace,
                    std::stop_token stop) = 0;
  virtual Endpoint endpoint(const std::string& unit, Slot slot) const = 0;
  /// Runs a command in the release that the slot holds. `tell` gets its output.
  virtual CommandResult run(const std::string& unit, Slot slot, const TargetCommand& command,
                            const TellLine& tell, std::stop_token stop) = 0;

  /// Removes releases but those that slots hold, those named, and the newest `keep` of the others.
  virtual void clean(const std::string& unit, std::size_t keep, const std::vector<std::string>& named,
                     std::stop_token stop) = 0;
  /// Ends what claim() began: connections. The token stays.
  virtual void leave(const std::string& unit) noexcept = 0;
};

}  // namespace runner::deployments
