#pragma once
// What ssh and the script on the host say, and what that means. Internal to this folder; pure.

#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace runner::deployments {

/// Collected while a call runs.
struct SshReply {
  /// A line of standard error: a fact of the script ("runner:..."), or what ssh and others say.
  void add(std::string_view line);
  /// The last lines of its output are shown when it fails.
  void keep_output(std::string_view line);
  /// Throws what its end means, unless all went well; StaleFence and Error as in ssh_client.h.
  void check(const std::string& unit, const std::string& verb, int code) const;
  bool has(std::string_view fact) const;

  std::vector<std::vector<std::string>> facts;
  std::string error_code, error_text;  // of a line "runner:error"
  std::deque<std::string> output, said;
};

}  // namespace runner::deployments
