#pragma once
// Pipelines of a server as people see them. Main thread only.

#include <string>

#include "runner/cli/client_desk.h"

namespace runner::cli {

/// The jobs of a pipeline in a table: of each only its last attempt.
std::string jobs_table(const ClientDesk& desk, const PipelineAnswer& pipeline);
/// Those jobs, in the order they came.
std::vector<JobAnswer> last_attempts(const PipelineAnswer& pipeline);

/// Nothing happens in it any more by itself.
bool has_ended(const PipelineAnswer& pipeline);
/// "failed after 3.2 s: exit code 1", for people.
std::string outcome_text(const JobAnswer& job, const Clock& clock);

/// Asks for what is watched: a restart of the server or a lost connection is waited out for a minute, but not
/// the `first` time. Throws Refused and Error.
std::string ask_patiently(ClientDesk& desk, const std::string& path, bool first);

/// Shows a pipeline until it has ended, asking the server again and again: a restart of the server or a lost
/// connection is waited out for a minute. On a terminal the lines of its jobs are repainted; elsewhere there
/// is one for each change. `json`: only the pipeline as it ended. Returns what to exit with.
int watch_pipeline(ClientDesk& desk, std::int64_t id, bool json);

}  // namespace runner::cli
