#pragma once
// The variables of a running job: those of the plan, those that only exist while it runs, files, hand-over
// file.

#include <chrono>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pipelines/facts.h"
#include "pipelines/plan.h"
#include "pipelines/variables.h"
#include "runner/base/clock.h"

namespace runner::engine {

using NamedValues = std::vector<std::pair<std::string, std::string>>;

/// What only the engine knows about a run.
struct RunFacts {
  std::int64_t pipeline = 0, job = 0;
  TimePoint started_at{};
  std::chrono::milliseconds timeout{0};
  std::size_t slot = 0;  // below the engine's capacity; no two jobs at a time share one
  std::filesystem::path project_dir, builds_dir;
  std::filesystem::path private_dir;  // exists: files of variables, the hand-over file
  /// Where the job sees `private_dir`, and as which user is not known. Empty: where it is, as our own.
  std::filesystem::path seen_dir;
};

/// Built once per run. One thread.
class JobEnvironment {
 public:
  /// `base` is the environment below all variables, `dotenv` what upstream jobs hand over. Writes the files
  /// of file variables. Throws Error.
  JobEnvironment(const pipelines::Plan& plan, const pipelines::PlanJob& job,
                 const pipelines::PipelineFacts& facts, const std::map<std::string, std::string>& base,
                 const NamedValues& dotenv, const RunFacts& run);

  /// All variables, expanded, without `base`.
  const std::map<std::string, std::string>& values() const noexcept { return values_; }
  /// "" when there is none.
  std::string_view value(std::string_view name) const;
  /// What a variable holds: of a file variable the content of its file. nullopt when there is none.
  std::optional<std::string> content(const std::string& name) const;
  /// A boolean knob; a value that is none gives the default and a warning.
  bool flag(std::string_view name, bool otherwise);
  /// "1h30m", "500ms"; nullopt when unset or malformed (with a warning).
  std::optional<std::chrono::milliseconds> duration(std::string_view name);

  /// `$NAME` in keywords that the dialect expands at job time.
  std::string expand(std::string_view text) const;
  /// The same for environment:url: sees what the job has handed over; undefined names stay as written.
  std::string expand_with(std::string_view text, const NamedValues& dotenv) const;
  /// Paths: expanded as a double-quoted shell word.
  std::vector<std::string> expand_paths(const std::vector<std::string>& paths) const;

  /// CI_JOB_STATUS for what runs next; a value set by the user stays.
  void set_job_status(std::string_view status);
  /// Takes over the lines that the job appended to $GITLAB_ENV.
  void read_hand_over_file();

  /// For a service: what the pipeline file and we ourselves say, without what is secret; then its own.
  std::map<std::string, std::string> for_service(const std::vector<pipelines::Variable>& own) const;
  /// For a process: `base` and all variables that a shell can export. What is too large for an environment is
  /// in oversized().
  std::map<std::string, std::string> process() const;
  std::map<std::string, std::string> oversized() const;

  /// What must never be seen in the log.
  const std::vector<std::string>& secrets() const noexcept { return secrets_; }
  /// For the log, once.
  std::vector<std::string> take_warnings() { return std::exchange(warnings_, {}); }

 private:
  void add_run_variables(const pipelines::PlanJob& job, const pipelines::PipelineFacts& facts,
                         const RunFacts& run);
  void add(pipelines::Variable variable, const RunFacts& run);
  void collect_secrets();
  void warn(std::string text);

  std::map<std::string, std::string> base_;
  pipelines::VariableSet set_;
  std::map<std::string, std::string> values_;
  std::map<std::string, std::string> masked_;  // by name: the texts of masked variables as written
  std::vector<std::string> secrets_, warnings_;
  std::map<std::string, std::string> file_contents_;  // of file variables, by name
  std::set<std::string> told_;                        // steps ask for the same knobs again
  std::filesystem::path hand_over_file_;
};

}  // namespace runner::engine
