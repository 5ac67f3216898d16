#pragma once
// The cases of cases/*.txt and the files of golden/plan_*.yml, as worlds that plan them. A case is
//   === name
//   facts, one a line: "tag v1", "merge_request", "source web", "changed a b", "tracked a b", "since ref a
//   b", "var NAME value" (a pipeline variable), "project NAME value", "message text"
//   ---
//   the file
//   --->
//   the outline that is expected, and lines "NAME of JOB = value" for variables at job time

#include <filesystem>
#include <string>
#include <vector>

#include "tests/pipelines/planning_support.h"

namespace runner::pipelines {

struct PlanCase {
  std::string name;
  PlanWorld world;
  std::string yaml;
  std::string expected;                // an outline; empty when only variables are asked for
  std::vector<std::string> questions;  // "NAME of JOB = value"
};

std::vector<PlanCase> plan_cases();
/// Sorted.
std::vector<std::filesystem::path> golden_plan_files();

}  // namespace runner::pipelines
