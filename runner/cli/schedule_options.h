#pragma once
// Arguments of `runner schedule ...` from the words of the command line. Pure; any thread.

#include <string_view>

#include "runner/cli/options.h"
#include "runner/cli/raw_arguments.h"

namespace runner::cli {

/// `name` is the whole name, "schedule add".
Command schedule_command(std::string_view name, const RawArguments& raw);

}  // namespace runner::cli
