#pragma once
// Deployments as people read them. All of it is safe on a terminal. Pure; any thread.

#include <string>
#include <vector>

#include "runner/base/clock.h"
#include "runner/cli/deploy_answers.h"
#include "runner/cli/screen.h"

namespace runner::cli {

/// "main c0ffee12".
std::string commit_text(const std::string& ref, const std::string& sha);
/// "main c0ffee12 since 3 h ago (...)", or that nothing runs.
std::string current_text(const std::optional<CurrentAnswer>& current, const Clock& clock);
/// "2 more of 'ops' (role:developer)", or "" when nobody is missing.
std::string missing_text(const DeploymentAnswer& deployment);
/// Rows with what waits, or what was.
std::string deployments_table(const Screen& screen, const Clock& clock,
                              const std::vector<DeploymentAnswer>& found);
/// "forward: place app1, done".
std::string step_text(const StepAnswer& step);
/// What somebody needs to know who approves it.
std::string deployment_sheet(const Screen& screen, const Clock& clock, const DeploymentAnswer& deployment);

}  // namespace runner::cli
