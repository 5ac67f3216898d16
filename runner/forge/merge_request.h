#pragma once
// Merge requests, which GitHub and Gitea call pull requests: their refs, and what their forge says of one.

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "runner/forge/forge.h"
#include "runner/forge/forge_http.h"

namespace runner::forge {

/// The number in "refs/pull/7/head" (GitHub, Gitea, Forgejo) and "refs/merge-requests/7/head" (GitLab);
/// nullopt for any other ref. Of `kind` none either form is one. Pure.
std::optional<std::int64_t> merge_request_number(ForgeKind kind, std::string_view ref);

/// As the forge says, or a webhook; "" is not known.
struct MergeRequestFacts {
  std::string source_branch, target_branch;  // without refs/heads/; the source of the fork when it is of one
  std::string title;
  bool from_fork = true;  // the source is of another repository, or nobody said
  bool open = true;
};

/// Pure.
ForgeRequest merge_request_request(const ForgePlace& place, std::int64_t number, std::string_view token);
/// nullopt for what is no merge request. Names are those of git refs, texts UTF-8. Pure.
std::optional<MergeRequestFacts> read_merge_request(ForgeKind kind, std::string_view json);

/// Asks the forge. nullopt when it does not know; throws Error as ask_forge(), or {unavailable} with the
/// reason when it does not say.
std::optional<MergeRequestFacts> find_merge_request(const ForgePlace& place, std::int64_t number,
                                                    std::string_view token, const ForgeLimits& limits,
                                                    const std::stop_token& stop);

}  // namespace runner::forge
