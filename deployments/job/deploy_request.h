#pragma once
// What the job of a deployment is told, and what it leaves. The deployment is a step of its job: the program
// itself, started with the words `deploy-step DIR` in the workspace, its output the job's log. SIGTERM
// aborts: what has begun is rolled back. When it dies, another attempt of the job goes on where the journal
// ends.
//
// Files in DIR, a private directory of this attempt that whoever made it removes (mode 0600):
//   request   what to do; removed as soon as it is read, as it holds secrets
//   verdict   how it ended, for people
//
// Values and files only; any thread.

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

namespace runner::deployments {

inline constexpr const char* kDeployStepWord = "deploy-step";

/// What the process ends with: also the exit code of the job.
enum class DeployExit : std::uint8_t {
  done = 0,
  failed = 1,           // nothing that runs was changed
  invalid = 2,          // what was asked for cannot be done: the block or its variables must change
  rolled_back = 3,      // what ran before runs again
  rollback_failed = 4,  // somebody must look: the environment stays locked
  busy = 7,             // somebody else deploys there
  machinery = 75,       // this machine failed; another attempt goes on with it
};

struct DeployRequest {
  std::filesystem::path database;  // of the journal
  std::filesystem::path places;    // a directory of ours; one below it for each environment. Made
  /// The server's gate has made the deployment, and says when. Else this process makes it and begins.
  bool gated = false;
  std::optional<std::int64_t> pipeline;
  std::string project, environment, job, ref, sha, user;
  std::filesystem::path workspace;               // absolute; where the checkout is seen
  std::string block;                             // PlanJob::deploy
  std::map<std::string, std::string> variables;  // of the job; any bytes but NUL
  std::map<std::string, std::string> secrets;    // what `secret:NAME` stands for, in full
  bool operator==(const DeployRequest&) const = default;
};

/// Throws Error.
void write_deploy_request(const std::filesystem::path& dir, const DeployRequest& request);
/// Reads and removes it. Throws Error: not_found, corrupt.
DeployRequest take_deploy_request(const std::filesystem::path& dir);

/// One line for people; never a secret. Throws Error.
void write_deploy_verdict(const std::filesystem::path& dir, const std::string& why);
/// "" when there is none. Throws Error.
std::string read_deploy_verdict(const std::filesystem::path& dir);

/// What main() does for the words `deploy-step DIR`, before anything else; one thread. Returns what the
/// process ends with, one of DeployExit.
int deploy_step_main(const char* dir);

}  // namespace runner::deployments
