#include "runner/daemon/commit_readers.h"

#include <utility>

namespace runner::daemon {

CommitReaders::CommitReaders(const std::filesystem::path& mirror, const std::string& commit,
                             std::string before)
    : repository_(git::LocalRepository::open_at(mirror, commit)), before_(std::move(before)) {}

std::optional<std::string> CommitReaders::read_local(std::string_view path) {
  return repository_->committed_file(path);
}

std::optional<std::string> CommitReaders::read_project(std::string_view, std::string_view, std::string_view,
                                                       std::string& why) {
  why = "files of other projects cannot be included yet";
  return std::nullopt;
}

std::optional<std::string> CommitReaders::read_remote(std::string_view, std::string& why) {
  why = "files cannot be included by URL yet";
  return std::nullopt;
}

std::optional<std::vector<std::string>> CommitReaders::changed_files() {
  if (before_.find_first_not_of('0') == std::string::npos) return std::nullopt;
  return repository_->changed_since(before_);
}

std::optional<std::vector<std::string>> CommitReaders::changed_since(std::string_view ref) {
  return repository_->changed_since(ref);
}

}  // namespace runner::daemon
