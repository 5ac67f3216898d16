#pragma once
// Arguments of `runner env ...`, `runner deploy ...`, `runner approve` and `runner reject` from the words of
// the command line. Pure; any thread.

#include <string_view>

#include "runner/cli/options.h"
#include "runner/cli/raw_arguments.h"

namespace runner::cli {

/// `name` is the whole name, "env show".
bool is_deploy_command(std::string_view name);
Command deploy_command(std::string_view name, const RawArguments& raw);

}  // namespace runner::cli
