#pragma once
// --list, --plan and --explain: a plan as text and as JSON. Pure; any thread.

#include <optional>
#include <string>
#include <string_view>

#include "pipelines/plan.h"
#include "runner/cli/screen.h"

namespace runner::cli {

/// One line per job; with `names_only` nothing but the names.
std::string list_text(const Screen& screen, const pipelines::Plan& plan, bool names_only);
std::string list_json(const pipelines::Plan& plan);

/// Stages in order, what each job waits for, and what is not in the pipeline and why.
std::string plan_text(const Screen& screen, const pipelines::PlanResult& result);
/// Everything the engine would be given; values of masked variables are left out.
std::string plan_json(const pipelines::PlanResult& result);

/// Why a job is in the pipeline or not. nullopt: nothing of that name.
std::optional<std::string> explain_text(const Screen& screen, const pipelines::PlanResult& result,
                                        std::string_view job);
std::optional<std::string> explain_json(const pipelines::PlanResult& result, std::string_view job);

}  // namespace runner::cli
