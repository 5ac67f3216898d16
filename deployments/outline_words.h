#pragma once
// The words of an outline. Internal to this folder. Pure.

#include <string>
#include <vector>

#include "deployments/outline.h"

namespace runner::deployments {

/// One line, without the commands.
std::string step_words(const OutlineStep& step, const pipelines::DeploySpec& spec,
                       const std::string& candidate);
/// Commands, and addresses that are asked.
std::vector<std::string> smoke_lines(const std::vector<pipelines::SmokeCheck>& checks);
/// What of a migration stays after a rollback.
std::string migration_loss(const pipelines::MigrationSpec& migration);

}  // namespace runner::deployments
