#pragma once
// What planning asks about a commit of a mirror.

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/facts.h"
#include "runner/git/local_repository.h"

namespace runner::daemon {

/// One planning, one thread.
class CommitReaders final : public pipelines::IncludeReader, public pipelines::RepositoryReader {
 public:
  /// `before`: 40 hex digits, or zeros: then what changed is not known. Throws Error without the commit.
  CommitReaders(const std::filesystem::path& mirror, const std::string& commit, std::string before);

  git::LocalRepository& repository() { return *repository_; }

  std::optional<std::string> read_local(std::string_view path) override;
  std::optional<std::string> read_project(std::string_view project, std::string_view ref,
                                          std::string_view path, std::string& why) override;
  std::optional<std::string> read_remote(std::string_view url, std::string& why) override;
  const std::vector<std::string>& tracked_files() override { return repository_->tracked_files(); }
  std::optional<std::vector<std::string>> changed_files() override;
  std::optional<std::vector<std::string>> changed_since(std::string_view ref) override;

 private:
  std::unique_ptr<git::LocalRepository> repository_;
  const std::string before_;
};

}  // namespace runner::daemon
