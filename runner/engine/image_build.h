#pragma once
// What build_image of a job comes to when it runs: docs/image-builds.md.

#include <string>
#include <vector>

#include "builds/build_request.h"
#include "pipelines/facts.h"
#include "pipelines/plan.h"
#include "runner/engine/engine.h"
#include "runner/engine/job_environment.h"

namespace runner::engine {

/// Variables filled in, secrets looked up, tags chosen, logins found; without the workspace. Reads the files
/// of file variables and what is below the engines' certs.d directories. Throws Error{invalid_input} for what
/// the job or its variables must mend.
builds::BuildRequest build_request(const pipelines::ImageBuildSpec& spec, const JobEnvironment& environment,
                                   const pipelines::PipelineFacts& facts, const ContainerSettings& settings);

/// Of logins by the user's variables, the first that knows an image first: JSON as in Docker's own file.
std::vector<std::string> login_texts(const JobEnvironment& environment);

}  // namespace runner::engine
