#pragma once
// Places where the steps of a job run. This folder knows nothing of pipelines: the engine lowers a plan into
// the values below. Three levels: an Executor (one per configured kind), a Sandbox (a prepared place for one
// job), a Step (one process in it). Ids are chosen by the caller and stored before anything is made, so that
// everything can be found again after a crash.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace runner::executors {

struct SandboxId {
  std::string value;
  auto operator<=>(const SandboxId&) const = default;
};
struct StepId {
  std::string value;  // unique within its sandbox: "script", "after_script"
  auto operator<=>(const StepId&) const = default;
};
using Deadline = std::chrono::steady_clock::time_point;

struct Capabilities {
  bool containers = false;
  bool services = false;
  bool reattach = false;
  bool resource_limits = false;
};

/// A stack of directory trees to be mounted as one, in a mount namespace of the step's own, so that the
/// kernel takes the mount away when the step ends, however it ends. Mounted with
/// `userxattr,index=off,volatile`.
struct OverlayMount {
  std::vector<std::filesystem::path> lowers;  // top first, at least one, immutable while mounted
  std::filesystem::path upper, work;          // private to the job, on one file system
  std::filesystem::path target;               // existing directory the stack is mounted over
  bool user_namespace = false;                // not root: mount inside a user namespace of its own
};

enum class PullPolicy : std::uint8_t { always, if_not_present, never };

/// An image as a container engine names it.
struct ContainerImage {
  std::string name;                                     // "postgres:15", "registry.example/app@sha256:..."
  std::optional<std::vector<std::string>> entrypoint;   // in place of the image's; {""} or {}: none at all
  std::vector<PullPolicy> pull = {PullPolicy::always};  // each is tried once, in order; never empty
  std::string platform, user;                           // "": the engine's; the image's
};

/// A container beside the job, reached by its names.
struct ContainerService {
  ContainerImage image;
  std::vector<std::string> aliases;  // the caller derives them from the image; no two services share one
  std::optional<std::vector<std::string>> command;
  std::map<std::string, std::string> env;
};

/// Who may pull from where.
struct RegistryLogin {
  /// "registry.example:5000", "registry.example/group", "docker.io/library/alpine": no scheme, no '/' at the
  /// end, and docker.io for the hub.
  std::string registry;
  std::string username, password;
  std::string identity_token = {};  // in place of a password
};

/// What a step finds at a place of its own besides the workspace.
struct BindMount {
  std::filesystem::path source;  // on this machine; exists
  std::filesystem::path target;  // absolute, as steps see it
  bool read_only = false;
};

/// The containers of one job. Means nothing to an executor without Capabilities::containers.
struct ContainerSpec {
  ContainerImage image;
  std::vector<ContainerService> services;          // in the order of their start
  std::chrono::milliseconds service_wait{30'000};  // until they answer; negative: do not wait
  bool service_logs = false;                       // services write into the job's log
  std::vector<RegistryLogin> logins;               // the most specific one counts; then the engine's own file
  std::vector<BindMount> binds;
  std::map<std::string, std::string> env;  // of the container; a step's own comes on top
  std::vector<std::string> extra_hosts;    // "name:address"
  std::uint64_t shm_bytes = 0;             // 0: the engine's default
  bool privileged = false;
  std::vector<std::string> cap_add, cap_drop;
  /// The engine's own socket is there, at the places where its programs look for it: who has it is master of
  /// the engine, and of the machine when the engine runs as root.
  bool engine_socket = false;
};

/// Already expanded, already validated. An executor never parses YAML, reads configuration or evaluates
/// conditions; it gets values only.
struct SandboxSpec {
  SandboxId id;
  std::filesystem::path state_dir;  // exists, 0700, on a disk that survives; the executor's files go here
  std::filesystem::path workspace;  // where steps see the workspace; without `overlay` it exists already
  std::optional<OverlayMount> overlay;
  std::optional<ContainerSpec> container;  // none for the shell executor
  std::uint64_t memory_bytes = 0;          // 0 = no limit
  std::uint32_t cpu_millis = 0;            // 1000 = one core, 0 = no limit
  std::uint64_t file_size_bytes = 0;       // largest file a step may write (RLIMIT_FSIZE), 0 = no limit
  std::map<std::string, std::string> labels;
};

struct StepSpec {
  StepId id;
  std::vector<std::string> argv;           // never a shell string; argv[0] is looked up in env PATH
  std::map<std::string, std::string> env;  // complete environment, not an overlay
  std::filesystem::path cwd;               // as the step sees it; empty = the workspace
};

/// How a step ended. A failing script is a value, never an exception.
struct Exited {
  int code = 0;
};
struct Signaled {
  int signo = 0;
  bool core_dumped = false;
};
struct OomKilled {};
struct Stopped {};  // because stop() was called
struct Lost {       // after a restart: it ran, its end was not recorded; or its supervisor was killed
  std::string why;
};
using StepEnd = std::variant<Exited, Signaled, OomKilled, Stopped, Lost>;

enum class Stream : std::uint8_t { out, err };

/// Push, not pull: the executor writes, the engine masks, stamps and stores.
/// Called from one thread per step. Never throws; a full disk is remembered and reported when the step ends.
class LogSink {
 public:
  virtual ~LogSink() = default;
  virtual void write(Stream stream, std::span<const std::byte> bytes) noexcept = 0;
};

/// One running step. The destructor detaches; it neither kills nor waits.
class Step {
 public:
  virtual ~Step() = default;
  /// Blocks until the step ended and its output reached the sink (the wait for stragglers that keep a pipe
  /// open is bounded). Nothing the step started is alive afterwards. Twice: ok, same answer. One thread.
  virtual StepEnd wait() = 0;
  /// Thread-safe, idempotent, does not block. Asks politely (SIGTERM), then kills everything the step started
  /// (whole process tree, also what changed its session) once `grace` has passed. A second call with a
  /// shorter grace shortens it.
  virtual void stop(std::chrono::milliseconds grace) noexcept = 0;
};

/// A command on a terminal of its own, for a person. The destructor ends it with all that it started, and
/// waits for that.
class TerminalSession {
 public:
  virtual ~TerminalSession() = default;
  /// What is typed goes in, what is to be seen comes out. At the end of the command reads give 0 or EIO.
  virtual int fd() const noexcept = 0;
  virtual void resize(std::uint16_t rows, std::uint16_t columns) noexcept = 0;
};

/// A prepared place in which the steps of one job run, one after another. One thread at a time.
class Sandbox {
 public:
  virtual ~Sandbox() = default;  // does not destroy; see Executor::destroy
  /// Starts a step; `sink` must live until wait() returned or the Step is gone.
  /// Throws Error{invalid_input} when the command cannot be started (not found, bad cwd), Error otherwise.
  virtual std::unique_ptr<Step> start(const StepSpec& spec, LogSink& sink) = 0;
  /// Picks up a step that outlived a daemon restart. `log_offset`: bytes the sink already has.
  /// nullptr if the step is unknown.
  virtual std::unique_ptr<Step> attach(const StepId& id, std::uint64_t log_offset, LogSink& sink) = 0;
  /// Starts a step that a person sits at, between two others. nullptr: there are no terminals here. Throws
  /// like start().
  virtual std::unique_ptr<TerminalSession> open_terminal(const StepSpec& /*spec*/) { return nullptr; }
};

/// One instance per configured executor; any method from any thread.
/// Throws runner::Error for failures of the machinery only.
class Executor {
 public:
  virtual ~Executor() = default;
  virtual std::string_view name() const noexcept = 0;
  virtual Capabilities probe() = 0;
  /// May take minutes (image pull). `stop` cancels it: Error{cancelled}.
  virtual std::unique_ptr<Sandbox> prepare(const SandboxSpec& spec, LogSink& sink, std::stop_token stop) = 0;
  /// nullptr if gone. `state_dir` is the one given to prepare().
  virtual std::unique_ptr<Sandbox> reopen(const SandboxId& id, const std::filesystem::path& state_dir) = 0;
  /// Ends what still runs in it and removes what the executor made. Idempotent; fine for an id never
  /// prepared. Own deadline, not the job's stop token, so clean-up still works after a cancellation.
  virtual void destroy(const SandboxId& id, const std::filesystem::path& state_dir, Deadline deadline) = 0;
};

}  // namespace runner::executors
