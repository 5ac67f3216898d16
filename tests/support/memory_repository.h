#pragma once
// A repository in memory for planning: includes and tracked files are a map.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "pipelines/facts.h"

namespace runner::test {

class MemoryRepository : public pipelines::IncludeReader, public pipelines::RepositoryReader {
 public:
  explicit MemoryRepository(std::map<std::string, std::string, std::less<>> files = {})
      : files_(std::move(files)) {
    for (const auto& [path, text] : files_) tracked_.push_back(path);
  }

  std::optional<std::string> read_local(std::string_view path) override {
    const auto found = files_.find(path);
    if (found == files_.end()) return std::nullopt;
    return found->second;
  }
  std::optional<std::string> read_project(std::string_view, std::string_view, std::string_view,
                                          std::string& why) override {
    why = "there are no other projects in memory";
    return std::nullopt;
  }
  std::optional<std::string> read_remote(std::string_view, std::string& why) override {
    why = "there is no network in memory";
    return std::nullopt;
  }

  const std::vector<std::string>& tracked_files() override { return tracked_; }
  std::optional<std::vector<std::string>> changed_files() override { return tracked_; }
  std::optional<std::vector<std::string>> changed_since(std::string_view) override { return tracked_; }

 private:
  std::map<std::string, std::string, std::less<>> files_;
  std::vector<std::string> tracked_;
};

/// A push to main.
inline pipelines::PipelineFacts push_to_main() {
  pipelines::PipelineFacts facts;
  facts.ref_name = "main";
  facts.sha = "0123456789abcdef0123456789abcdef01234567";
  facts.before_sha = std::string(40, '0');
  facts.commit_message = "A commit";
  facts.project_path = "group/project";
  return facts;
}

}  // namespace runner::test
