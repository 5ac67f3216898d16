#pragma once
// What a configuration file keeps is changed there. Internal to this folder.

#include <string>
#include <vector>

#include "runner/storage/project_table.h"
#include "runner/storage/schedule_table.h"

namespace runner::api {

/// Throw Refusal (409) that names the file. `fields`: those that were given; of a project that is to be
/// removed none.
void check_not_configured(storage::Tx& tx, const storage::ProjectRecord& project,
                          const std::vector<std::string>& fields);
void check_not_configured(storage::Tx& tx, const storage::ScheduleRecord& schedule);

}  // namespace runner::api
