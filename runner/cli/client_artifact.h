#pragma once
// `runner artifact list` and `download` for jobs on a server. Main thread only.

#include "runner/cli/options.h"

namespace runner::cli {

/// The options, or $RUNNER_URL, name a server.
bool is_remote(const ArtifactOptions& options);
/// Prints, and returns the exit code. Throws Refused or Error.
int run_remote_artifact(const ArtifactOptions& options);

}  // namespace runner::cli
