#pragma once
// What commands that look at the user's own working tree tell the engine, and where its layers lie. Main
// thread.

#include <filesystem>
#include <string>
#include <vector>

#include "pipelines/facts.h"
#include "runner/cli/options.h"
#include "runner/cli/project.h"
#include "runner/engine/engine.h"

namespace runner::cli {

/// Answers from the working tree; the lowers are the caller's. `project` must outlive it.
engine::Checkout local_checkout(Project& project);

/// Those of --var.
std::vector<pipelines::Variable> plain_variables(const ExecOptions& options);

/// DATA/layers: where the store of a data directory is.
std::filesystem::path layers_directory(const std::filesystem::path& data);

/// The scope of a working tree: two clones of one project are two scopes, what one caches need not fit the
/// other.
std::string scope_of(const std::filesystem::path& project_root);

}  // namespace runner::cli
