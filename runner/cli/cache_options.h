#pragma once
// Arguments of `runner cache ...` from the words of the command line. Pure; any thread.

#include <string_view>

#include "runner/cli/options.h"
#include "runner/cli/raw_arguments.h"

namespace runner::cli {

/// `name` is the whole name, "cache list".
Command cache_command(std::string_view name, RawArguments raw);

/// --var, --branch, --tag, --source and --file, where a command has them.
std::optional<UsageError> take_pipeline_facts(const RawArguments& raw, ExecOptions& options);

}  // namespace runner::cli
