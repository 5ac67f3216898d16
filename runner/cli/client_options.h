#pragma once
// Arguments of the commands that talk to a server, from the words of the command line. Pure; any thread.

#include <string_view>

#include "runner/cli/options.h"
#include "runner/cli/raw_arguments.h"

namespace runner::cli {

/// The whole name is "project add", "pipeline run", "job log", "token create" ...
bool is_client_command(std::string_view name);
Command client_command(std::string_view name, const RawArguments& raw);

/// --server, --data, --json, --no-color and --quiet.
ClientCommon client_common(const RawArguments& raw);
/// A whole number from 1, as ids are. nullopt for anything else.
std::optional<std::int64_t> parse_id(std::string_view text);

}  // namespace runner::cli
