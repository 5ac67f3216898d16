#pragma once
// What a job's image and services come to when it runs: docs/pipeline-language.md, "Images and services".

#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

#include "executors/executor.h"
#include "pipelines/plan.h"
#include "runner/engine/engine.h"
#include "runner/engine/job_environment.h"

namespace runner::engine {

/// Whether it runs in a container where there are any. A build of an image does not: it needs the engine.
bool wants_container(const pipelines::PlanJob& job, const ContainerSettings& settings);

/// Whether jobs of the project of this name get the socket of the engine.
bool gets_engine_socket(const ContainerSettings& settings, const std::string& project);

/// Names expanded, host names derived, policies chosen, logins found; without what only the caller knows:
/// binds. `notices` is for the job's log. May run a helper program that keeps logins: blocks until `stop`.
/// Throws Error{invalid_input} for what the job or its variables must mend.
executors::ContainerSpec container_spec(const pipelines::PlanJob& job, JobEnvironment& environment,
                                        const ContainerSettings& settings, const std::stop_token& stop,
                                        std::vector<std::string>& notices);

/// A directory that a container of any user reads and writes, below one that nobody else may enter.
void make_shared_directory(const std::filesystem::path& directory);

}  // namespace runner::engine
