#pragma once
// What forges want to be asked, and what their answers mean. Pure; any thread.
//
//     GitHub           https://docs.github.com/rest/commits/statuses, "Rate limits for the REST API"
//     GitLab           https://docs.gitlab.com/api/commits, "Set the status of a commit"
//     Gitea, Forgejo   /api/swagger of any of them, repoCreateStatus

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "runner/base/clock.h"
#include "runner/forge/commit_status.h"
#include "runner/forge/forge.h"
#include "runner/forge/forge_http.h"

namespace runner::forge {

/// `server` is where people reach this server, "https://ci.example.com"; "" = unknown.
ForgeRequest status_request(const ForgePlace& place, const CommitStatus& status, std::string_view token,
                            std::string_view server);

struct Verdict {
  enum class Kind : std::uint8_t {
    taken,
    later,    // the same may be taken another time
    refused,  // it will hardly be taken another time
  } kind = Kind::later;
  bool whole_project = false;    // others of the project would fare the same now
  std::chrono::seconds wait{0};  // the forge says how long; 0 = it does not
  std::string why;               // with the mend; "" when it was taken
};

/// `secret` is not in `why`, whatever the forge says.
Verdict judge(const ForgePlace& place, const ForgeAnswer& answer, std::string_view secret, TimePoint now);

/// The fields that every request has: who asks, and in which form answers are wanted.
std::vector<std::string> request_fields(ForgeKind kind, std::string_view token);
/// "owner/name" with each part encoded.
std::string encode_parts(const std::string& repository);

}  // namespace runner::forge
