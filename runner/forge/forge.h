#pragma once
// The forge at which a repository is at home: what it is, where its API answers, what the repository is
// called there. Everything of this folder speaks to forges; nothing of it knows the engine.
//
// Without settings the address says it: github.com, gitlab.com and codeberg.org are known, any other host is
// not asked to be something. Pure; any thread.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "runner/storage/project_table.h"

namespace runner::forge {

enum class ForgeKind : std::uint8_t { none, github, gitlab, gitea };  // gitea: Forgejo, too
/// The text that is stored and shown: the enumerator's name.
std::string_view to_string(ForgeKind kind) noexcept;
std::optional<ForgeKind> parse_forge_kind(std::string_view text) noexcept;

struct ForgePlace {
  ForgeKind kind = ForgeKind::none;
  std::string api;         // "https://api.github.com", without a slash at its end
  std::string repository;  // "owner/name", of GitLab with its groups
  /// The API is of the repository's own host, so that it may be shown what opens the repository.
  bool same_host = false;
  std::string why;  // of none: why, with the mend; "" when nobody asked for a forge
};

/// By the settings of the project, else by its address.
ForgePlace place_of(const storage::ProjectRecord& project);

/// Why it can be no base address of an API; "" when it can.
std::string api_problem(const std::string& api);
/// Why it can be no name of a repository; "" when it can.
std::string repository_problem(const std::string& repository);

}  // namespace runner::forge
