#pragma once
// What a run takes from the caller's environment. Pure but for default_data_dir(); any thread.

#include <filesystem>
#include <map>
#include <optional>
#include <string>

namespace runner::cli {

/// The environment jobs start from: the caller's, without what belongs to another pipeline (CI, CI_*,
/// GITLAB_*, RUNNER_*), to another repository (GIT_*), or would change how a shell starts (BASH_ENV, ENV,
/// exported functions). `environ` ends with a null pointer; of a name that is there twice the first counts,
/// as getenv() has it.
std::map<std::string, std::string> base_environment(const char* const* environ);

/// `option`, else $RUNNER_DATA, else $XDG_DATA_HOME/runner, else /var/lib/runner as root and
/// ~/.local/share/runner as anybody else. Absolute. Throws Error when there is no home directory either.
std::filesystem::path data_directory(const std::filesystem::path& option);

}  // namespace runner::cli
