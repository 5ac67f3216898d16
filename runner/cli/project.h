#pragma once
// The user's repository as planning sees it: facts, pipeline file, readers. Blocks on the disk. One thread.

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "pipelines/facts.h"
#include "pipelines/plan.h"
#include "runner/cli/options.h"
#include "runner/git/local_repository.h"

namespace runner::cli {

struct PipelineFile {
  std::string name;  // from the repository's top, as messages and CI_CONFIG_PATH have it
  std::string text;
  std::string notice;  // worth telling, may be empty
};

/// Where the command was called: the repository around the current directory, or the directory itself.
class Project {
 public:
  /// Looks from the current directory upwards. `commit`: everything is as that commit has it, see
  /// git::LocalRepository::open_at().
  static Project open(const std::string& commit = {});

  git::LocalRepository& repository() { return *repository_; }
  const std::filesystem::path& root() const { return repository_->root(); }

  /// `given` from the current directory, else from the top; when it is empty the first default name that
  /// exists at the top. nullopt when there is none.
  std::optional<PipelineFile> find_file(const std::string& given) const;

  /// What planning is told. `variables` are added as they are.
  pipelines::PipelineFacts facts(const ExecOptions& options, const std::string& config_path,
                                 std::vector<pipelines::Variable> variables);

  pipelines::PlanResult plan(const PipelineFile& file, const pipelines::PipelineFacts& facts);

 private:
  explicit Project(std::unique_ptr<git::LocalRepository> repository) : repository_(std::move(repository)) {}

  std::optional<PipelineFile> find_committed_file(const std::string& given) const;

  std::unique_ptr<git::LocalRepository> repository_;
};

/// The sentence for a repository without a pipeline file.
std::string no_file_message(const std::string& given);

}  // namespace runner::cli
