#include "runner/api/configured.h"

#include <algorithm>

#include "runner/api/refusal.h"
#include "runner/base/text.h"
#include "runner/storage/configured_table.h"

namespace runner::api {
namespace {

using storage::ConfiguredKind;

constexpr const char* kMend =
    "; change it there, and have the server read it again (`systemctl reload runner`)";

}  // namespace

void check_not_configured(storage::Tx& tx, const storage::ProjectRecord& project,
                          const std::vector<std::string>& fields) {
  const auto configured = storage::Configured(tx).find(ConfiguredKind::project, project.id);
  if (!configured) return;
  if (fields.empty())
    refuse(409, "project " + in_quotes(project.name) + " is kept in " + in_quotes(configured->file) + kMend);
  for (const std::string& field : fields) {
    const auto& kept = configured->fields;
    if (std::find(kept.begin(), kept.end(), field) == kept.end()) continue;
    refuse(409, in_quotes(field) + " of project " + in_quotes(project.name) + " is kept in " +
                    in_quotes(configured->file) + kMend);
  }
}

void check_not_configured(storage::Tx& tx, const storage::ScheduleRecord& schedule) {
  const auto configured = storage::Configured(tx).find(ConfiguredKind::schedule, schedule.id);
  if (!configured) return;
  refuse(409, "schedule " + std::to_string(schedule.id) + " is " + in_quotes(configured->name) + " in " +
                  in_quotes(configured->file) + kMend);
}

}  // namespace runner::api
