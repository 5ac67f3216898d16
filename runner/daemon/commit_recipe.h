#pragma once
// The files of a pipeline's commit, as a text that the process of a job makes its checkout from.

#include <filesystem>
#include <string>

#include "cache/layer_store.h"
#include "runner/engine/engine.h"

namespace runner::daemon {

struct CommitRecipe {
  std::filesystem::path mirror, mirrors;  // of the project; where those of submodules lie
  std::string scope, commit, ref, default_branch;
  std::string url;                                // of the project's repository, without credentials
  std::string username, secret;                   // for submodules on the same server; may be empty
  std::filesystem::path known_hosts;              // likewise
  std::filesystem::path project_dir, builds_dir;  // as jobs see them; both exist
};

/// SECRET: it holds the secret.
std::string encode(const CommitRecipe& recipe);
/// A CheckoutMaker (job_process.h).
engine::Checkout checkout_of_commit(const std::string& recipe, cache::LayerStore& layers);

}  // namespace runner::daemon
