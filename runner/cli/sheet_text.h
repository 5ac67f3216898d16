#pragma once
// The way of a deployment, and what it brings, as people read them. All of it is safe on a terminal. Pure;
// any thread.

#include <string>

#include "runner/base/clock.h"
#include "runner/cli/screen.h"
#include "runner/cli/sheet_answers.h"

namespace runner::cli {

std::string plan_sheet(const Screen& screen, const PlanAnswer& plan);
/// `from` and `to`: how the two sides are called.
std::string diff_sheet(const Screen& screen, const Clock& clock, const DiffAnswer& diff,
                       const std::string& from, const std::string& to);
/// The ids of the commits that came, each with its line.
std::string commit_ids(const DiffAnswer& diff);

}  // namespace runner::cli
