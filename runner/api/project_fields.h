#pragma once
// The fields of a project as people give them. Internal to this folder.

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runner/storage/project_table.h"
#include "runner/storage/sealer.h"

namespace runner::api {

enum class ProjectForm : std::uint8_t { creation, change };

/// What was given, and is well-formed. Of credentials "" means: none any more.
struct ProjectFields {
  std::optional<std::string> name, url, pipeline_file;
  std::optional<std::vector<std::string>> branches, tags;
  std::optional<std::chrono::seconds> poll_interval;
  std::optional<bool> paused;
  std::optional<std::string> username, token, ssh_key, webhook_secret, forge_token;
  // "" means: as the address says.
  std::optional<std::string> forge, forge_api, forge_repository;
  std::optional<bool> merge_requests;
  std::optional<std::int64_t> priority;

  /// Their names.
  std::vector<std::string> given() const;
  void apply(storage::ProjectRecord& project) const;
  /// A token and a key take each other's place: a repository is fetched with one thing. Throws Refusal.
  void apply_credentials(storage::Tx& tx, const storage::Sealer& sealer, std::int64_t project,
                         TimePoint now) const;
};

/// Throws Refusal.
ProjectFields read_project_fields(std::string_view body, ProjectForm form);

}  // namespace runner::api
