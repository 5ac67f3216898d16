#pragma once
// What the API has done by others: the engine and git. The daemon implements it. Any thread; blocks as said.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "deployments/journal.h"
#include "runner/base/clock.h"
#include "runner/engine/resource_groups.h"
#include "runner/git/commit_range.h"
#include "runner/storage/deployment_table.h"
#include "runner/storage/project_table.h"

namespace runner::api {

struct StartRequest {
  std::string ref;  // branch or tag, or a full ref; "" = the default branch
  std::map<std::string, std::string> variables;
  std::map<std::string, std::string> predefined;  // that tell why it was started; below all others
  std::string started_by;                         // name of the user
  std::string source = "api";
  std::optional<std::int64_t> priority = {};  // nullopt: that of the project
};

/// Whether a repository can be reached.
struct ReachReport {
  bool ok = false;
  std::string why;  // one sentence with the mend, when it cannot
  std::size_t branches = 0, tags = 0;
};

/// How the last look at a repository went, for a poll or a webhook.
struct LookReport {
  TimePoint at;
  std::optional<TimePoint> ok_at;  // of the last that went well
  std::string why;                 // one sentence with the mend; "" = it went well
};

/// What somebody asks of the server's health.
struct HealthQuestion {
  enum class About : std::uint8_t { live, ready, all } about = About::all;
  bool detail = false;               // who asks may know more than the status
  bool verbose = false;              // of `all`: also the checks that pass
  std::vector<std::string> exclude;  // names of checks that are left out
};

struct HealthAnswer {
  bool good = false;
  std::string body;   // text; of `all` JSON
  std::string wrong;  // the question: one sentence
};

/// What the job of a deployment does, as its pipeline was frozen. Nothing in it is secret: variables whose
/// values everybody may see are filled in, all others are there by their names.
struct DeploymentWork {
  std::vector<std::string> script;  // the lines of a job without `deploy:`
  std::string outline;              // deployments/outline.h, as JSON; "" = there is none
  std::string block;                // `deploy:` as the file has it, as JSON; "" = it has none
  std::string why;                  // there is a block and no outline: one sentence
};

class Actions {
 public:
  virtual ~Actions() = default;

  /// Fetches the ref, plans and makes a pipeline, also for a commit that had one. Returns its id. Blocks on
  /// the network. Throws Error{not_found} without such a ref, {invalid_input} when the pipeline file is wrong
  /// or gives no jobs (the message has the diagnostics), {unavailable} when the repository cannot be reached.
  virtual std::int64_t start_pipeline(const storage::ProjectRecord& project, const StartRequest& request) = 0;

  // Asynchronous; what does not fit the status of the job is passed over.
  virtual void cancel_pipeline(std::int64_t pipeline) = 0;
  virtual void retry_pipeline(std::int64_t pipeline) = 0;
  /// Starts a job that waits for a person or a time, or runs a finished one once more.
  virtual void play_job(std::int64_t pipeline, std::size_t plan_index) = 0;
  virtual void cancel_job(std::int64_t pipeline, std::size_t plan_index) = 0;

  /// Asks the remote of a project now. Blocks on the network.
  virtual ReachReport test_project(const storage::ProjectRecord& project) = 0;
  /// nullopt: none since the daemon was started. Quick.
  virtual std::optional<LookReport> last_look(std::int64_t project) = 0;
  /// From the next one on that gets the group. Quick.
  virtual void set_resource_mode(const storage::ProjectRecord& project, const std::string& group,
                                 engine::ResourceMode mode) = 0;
  /// Projects were added, changed or removed: look at them again.
  virtual void projects_changed() = 0;
  /// Schedules were added, changed or removed. Quick.
  virtual void schedules_changed() = 0;
  /// The protection of an environment was changed, or somebody decided about a deployment that waits: look
  /// who may begin now. Quick.
  virtual void environments_changed() = 0;
  /// nullopt: the plan of its pipeline is not there any more. `before`: what runs there as far as that is
  /// known. Blocks on the store.
  virtual std::optional<DeploymentWork> deployment_work(const storage::DeploymentRecord& deployment,
                                                        const deployments::Snapshot& before) = 0;
  /// By the server's own copy of the repository, without the network. Blocks on the disk.
  virtual git::CommitRange commits_between(const storage::ProjectRecord& project, const std::string& from,
                                           const std::string& to, std::size_t limit) = 0;
  /// A webhook was stored for this project. Quick.
  virtual void delivery_stored(std::int64_t project) = 0;
  /// No more than this is taken: the daemon drains, or its store cannot be written. "" = all is well.
  virtual std::string refuses_work() = 0;
  /// Called in the HTTP server's reactor: quick, and looks at no disk and no store.
  virtual HealthAnswer health(const HealthQuestion& question) = 0;
  /// In the text form of Prometheus, version 0.0.4. Blocks on the store and the disk.
  virtual std::string metrics() = 0;
};

}  // namespace runner::api
