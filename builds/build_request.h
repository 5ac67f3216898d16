#pragma once
// What a build of an image is told, and what it leaves. The build is a step of its job: the program itself,
// started with the words `image-build DIR` in the workspace, its output the job's log. SIGTERM cancels it.
//
// Files in DIR, a private directory of this build that whoever made it removes (mode 0600):
//   request       what to do; removed as soon as it is read, as it holds secrets
//   outputs.env   what was made, for later jobs; there when the process ended with 0
//   verdict       why it ended with another code
//
// Values and files only; any thread.

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace runner::builds {

inline constexpr const char* kImageBuildWord = "image-build";

/// What the process ends with.
enum class BuildExit : std::uint8_t {
  done = 0,
  failed = 1,       // the build itself: an instruction of the Dockerfile failed
  invalid = 2,      // what was asked for cannot be done: it, its Dockerfile or its logins must change
  machinery = 3,    // the engine, a registry or this machine failed: trying again may help
  cancelled = 143,  // by SIGTERM
};

enum class EngineKind : std::uint8_t { docker, podman };

struct LayerCache {
  bool enabled = true;            // false: the engine uses no layer of an earlier build
  std::vector<std::string> from;  // full references whose layers may be used, the best first
  std::string to;                 // a repository that takes layers (Podman only); "" = none
  bool operator==(const LayerCache&) const = default;
};

struct BuildRequest {
  std::filesystem::path workspace;             // absolute; where the checkout is seen
  std::string context = ".";                   // relative to the workspace
  std::string dockerfile;                      // relative to the context; "" = Dockerfile, else Containerfile
  std::string target;                          // a stage; "" = the last
  std::map<std::string, std::string> args;     // any bytes but NUL
  std::map<std::string, std::string> secrets;  // id -> content
  std::vector<std::string> platforms;          // "linux/arm64"; none: that of the engine
  std::vector<std::string> tags;               // full references with a tag; the first is the main one
  bool push = false;
  LayerCache cache;
  bool rebuild = false;  // even when an image of these inputs is there, and without layers of earlier builds

  std::map<std::string, std::string> labels;  // more of them; they are no inputs
  std::string revision, source, version;      // of the OCI labels; "" = none
  std::int64_t created = 0;                   // seconds since 1970, of the commit; 0 = now

  EngineKind engine = EngineKind::docker;
  std::filesystem::path socket;  // the engine's; empty: there is none, and an image that is there must do
  /// Logins as {"auths": ...}, the first that knows an image decides; of the job's variables.
  std::vector<std::string> auth_configs;
  /// Files of whoever runs us, asked after those: their helpers are run.
  std::vector<std::filesystem::path> auth_files;
  std::map<std::string, std::filesystem::path> authorities;  // by host of a registry: PEM file
  std::vector<std::string> insecure;  // hosts of registries that need no trusted certificate, or have no TLS

  /// A directory of the caller's in which is kept what need not be found out again, about programs of this
  /// machine; made when it is missing. Empty: it is found out each time.
  std::filesystem::path memory;

  /// What the caller knows the context by: the git tree of exactly these files. "" = they are read.
  std::string context_key;
  /// NAME -> value for the programs that build, besides PATH, HOME and the proxies of our own environment.
  std::map<std::string, std::string> environment;

  bool operator==(const BuildRequest&) const = default;
};

/// Throws Error.
void write_build_request(const std::filesystem::path& dir, const BuildRequest& request);
/// Reads and removes it. Throws Error: not_found, corrupt.
BuildRequest take_build_request(const std::filesystem::path& dir);

struct BuildVerdict {
  BuildExit exit = BuildExit::machinery;
  std::string why;  // for people: names what and the mend; never a secret
  bool operator==(const BuildVerdict&) const = default;
};

/// Throws Error.
void write_build_verdict(const std::filesystem::path& dir, const BuildVerdict& verdict);
/// nullopt when there is none. Throws Error{corrupt}.
std::optional<BuildVerdict> read_build_verdict(const std::filesystem::path& dir);

struct BuildOutputs {
  std::string image;   // IMAGE: "registry/name@sha256:..."; of an image that was not pushed its main tag
  std::string digest;  // IMAGE_DIGEST: of the manifest; of an image that was not pushed its id
  std::string tag;     // IMAGE_TAG: the main one, in full
  std::string key;     // IMAGE_KEY: of its inputs, 64 hexadecimal digits
  bool operator==(const BuildOutputs&) const = default;
};

/// A dotenv report. Throws Error.
void write_build_outputs(const std::filesystem::path& dir, const BuildOutputs& outputs);
inline constexpr const char* kOutputsFile = "outputs.env";

/// What main() does for the words `image-build DIR`, before anything else; one thread. Returns what the
/// process ends with, one of BuildExit.
int image_build_main(const char* dir);

}  // namespace runner::builds
