#pragma once
// Messages of ours on standard error, all in one form. Any thread.

#include <filesystem>
#include <string_view>

#include "pipelines/plan.h"
#include "runner/cli/screen.h"

namespace runner::cli {

/// "runner: error: <message>" and "  help: <help>" when there is one.
void print_error(std::string_view message, std::string_view help = {});
/// "runner: <message>"
void print_notice(std::string_view message);
/// What planning found, in order of place. `warnings`: also what is no error.
void print_diagnostics(const pipelines::PlanResult& result, bool no_color, bool warnings);
/// -C: goes to `directory` unless it is empty. Throws Error{invalid_input}.
void enter_directory(const std::filesystem::path& directory);

}  // namespace runner::cli
