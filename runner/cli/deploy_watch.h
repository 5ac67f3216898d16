#pragma once
// A deployment as it goes. Main thread only.

#include <cstdint>

#include "runner/cli/client_desk.h"
#include "runner/cli/deploy_answers.h"

namespace runner::cli {

/// What `runner deploy watch` exits with: why a deployment is not, or not any more, on its way.
enum class DeploymentExit : std::uint8_t {
  succeeded = 0,
  failed = 1,  // nothing that runs was changed
  rolled_back = 3,
  rollback_failed = 4,
  refused = 5,  // rejected, expired
  superseded = 6,
  waits = 8,  // for somebody
  not_permitted = 9,
  machinery = 10,
};

/// Follows it to its end, or until it waits for somebody, with a line for each state and step; a restart of
/// the server is waited out for a minute. `json`: only how it is then. Returns a DeploymentExit.
int watch_deployment(ClientDesk& desk, std::int64_t id, bool json);

}  // namespace runner::cli
