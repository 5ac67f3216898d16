#pragma once
// The directories of steps in a sandbox's state directory, as executors of this machine lay them out. Any
// thread.

#include <filesystem>
#include <string>
#include <string_view>

#include "executors/executor.h"
#include "executors/shell_step.h"

namespace runner::executors {

/// What marks the processes of a sandbox; nobody can guess it.
std::string random_cookie();
bool names_directory(const std::filesystem::path& path);
StepPlace step_place(const std::filesystem::path& state_dir, std::string_view cookie, std::string_view step);
/// Throws Error{invalid_input}: an id becomes part of a path.
void check_step_id(const std::string& id);
/// The place of a new step, whose directory it makes. Throws Error: invalid_input for the id, conflict when
/// the step was started before.
StepPlace make_step_place(const std::filesystem::path& state_dir, std::string_view cookie,
                          const StepSpec& step);
/// Ends what still runs of all steps and removes their directories. Throws Error{timeout} when something
/// outlives the deadline.
void end_steps(const std::filesystem::path& state_dir, std::string_view cookie, Deadline deadline);

}  // namespace runner::executors
