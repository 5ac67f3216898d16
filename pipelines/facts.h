#pragma once
// What planning is told about the world: values, and two readers for what is too large to hand over at once.
// The owner of a checkout (runner/git for exec, the mirror for serve) implements the readers.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runner/base/clock.h"

namespace runner::pipelines {

/// Files of the commit (or of the working tree, for a local run), by path from the repository root.
/// Called only during planning, from its thread. May throw runner::Error when the machinery fails.
class IncludeReader {
 public:
  virtual ~IncludeReader() = default;
  /// Content, or nullopt when there is no such file. Paths never climb out: that is checked before.
  virtual std::optional<std::string> read_local(std::string_view path) = 0;
  /// A file of another project. nullopt with `why` set when the project, ref or file cannot be had.
  virtual std::optional<std::string> read_project(std::string_view project, std::string_view ref,
                                                  std::string_view path, std::string& why) = 0;
  /// A file by URL, likewise.
  virtual std::optional<std::string> read_remote(std::string_view url, std::string& why) = 0;
};

/// Questions about the commit's tree and history. Same rules as IncludeReader.
class RepositoryReader {
 public:
  virtual ~RepositoryReader() = default;
  /// Tracked paths, sorted. Asked at most once per planning; the result must live as long as the reader.
  virtual const std::vector<std::string>& tracked_files() = 0;
  /// Changed paths of this push (both names of a rename, deleted ones too); nullopt = unknown (new branch,
  /// tag, schedule ...), and then every `changes` is true.
  virtual std::optional<std::vector<std::string>> changed_files() = 0;
  /// Changed paths between the merge base with `ref` and the commit; nullopt = no such ref.
  virtual std::optional<std::vector<std::string>> changed_since(std::string_view ref) = 0;
};

/// Where a variable comes from, highest precedence first (the dialect's ranks; see
/// docs/pipeline-language.md).
enum class VariableSource : std::uint8_t {
  runner_forced,  // CI_SHARED_ENVIRONMENT, resolved secrets ...: above everything
  pipeline,       // command line, API, trigger, schedule, typed at a manual start
  project,
  group,
  instance,
  dotenv,
  user,    // GITLAB_USER_*
  rules,   // rules:variables of the job
  matrix,  // parallel:matrix
  job,     // job variables
  workflow_rules,
  root,  // root variables
  deployment,
  predefined,   // runner, pipeline, project, job
  runner_base,  // CI_PROJECT_DIR, CI_JOB_STATUS ...: below everything
};

std::string_view to_string(VariableSource source) noexcept;

struct Variable {
  std::string name;
  std::string value;  // as written, not expanded
  VariableSource source = VariableSource::predefined;
  bool raw = false;  // expand: false
  bool masked = false;
  bool file = false;                    // value goes to a file, the environment has its path
  bool is_public = true;                // may be passed to service containers
  std::string environment_scope = "*";  // project, group and instance variables only
};

enum class RefKind : std::uint8_t { branch, tag, merge_request };

/// One planning's world. Plain values; texts are as git has them.
struct PipelineFacts {
  std::string source = "push";  // CI_PIPELINE_SOURCE
  RefKind ref_kind = RefKind::branch;
  std::string ref_name;  // branch or tag
  bool ref_protected = false;
  std::string sha;         // 40 hex digits
  std::string before_sha;  // 40 zeros when there is none
  std::string commit_message;
  std::string commit_author;     // "Name <mail>"
  std::string commit_timestamp;  // ISO 8601
  std::string tag_message;
  std::string default_branch = "main";

  std::string project_path;  // "group/sub/name"
  std::string project_title;
  std::string project_url;
  std::string repository_url;
  std::int64_t project_id = 1;
  std::string server_url = "http://localhost";

  std::int64_t pipeline_id = 1;
  std::int64_t pipeline_iid = 1;
  TimePoint created_at{};
  std::string config_path = ".gitlab-ci.yml";
  std::string user_login, user_name, user_email;
  std::int64_t user_id = 0;  // 0 = unknown: no GITLAB_USER_* at all

  /// Ranks pipeline, project, group and instance, in any order; within a rank the later one wins.
  std::vector<Variable> variables;
  /// More predefined variables (merge request, schedule, registry ...), rank predefined.
  std::map<std::string, std::string> extra_predefined;
  /// Values for the root file's spec:inputs, as text.
  std::map<std::string, std::string> inputs;

  /// Keep for every rule what it saw, for somebody who asks why. Costs time and memory.
  bool explain_rules = true;
};

}  // namespace runner::pipelines
