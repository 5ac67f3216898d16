#pragma once
// Arguments of `runner artifact ...` from the words of the command line. Pure; any thread.

#include <string_view>

#include "runner/cli/options.h"
#include "runner/cli/raw_arguments.h"

namespace runner::cli {

/// `name` is the whole name, "artifact list".
Command artifact_command(std::string_view name, RawArguments raw);

}  // namespace runner::cli
