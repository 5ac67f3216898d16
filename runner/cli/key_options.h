#pragma once
// Arguments of `runner keys ...` from the words of the command line. Pure; any thread.

#include <string_view>

#include "runner/cli/options.h"
#include "runner/cli/raw_arguments.h"

namespace runner::cli {

/// `name` is the whole name, "keys rotate".
Command key_command(std::string_view name, const RawArguments& raw);

}  // namespace runner::cli
