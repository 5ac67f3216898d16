// Plans every case of cases/*.txt (plan_cases.h says what a case is).

#include <gtest/gtest.h>

#include "pipelines/job_variables.h"
#include "tests/pipelines/plan_cases.h"

namespace runner::pipelines {
namespace {

/// "NAME of JOB" at job time.
std::string variable_of(const PlanResult& result, std::string_view question) {
  const std::size_t of = question.find(" of ");
  if (!result.plan || of == std::string_view::npos) return "?";
  const auto job = result.plan->find(question.substr(of + 4));
  if (!job) return "no such job";
  const VariableSet set = job_variables(*result.plan, result.plan->jobs[*job], {});
  const auto values = set.expand_all();
  const auto value = values.find(std::string(question.substr(0, of)));
  return value == values.end() ? "unset" : "'" + value->second + "'";
}

void check(PlanCase& one) {
  const PlanResult plan = one.world.plan(one.yaml);
  if (!one.expected.empty()) {
    EXPECT_EQ(outline(plan), one.expected) << one.name << "\n"
                                           << render(plan.diagnostics.sorted(), *plan.sources);
  }
  for (const std::string& question : one.questions) {
    const std::size_t equal = question.find(" = ");
    EXPECT_EQ(variable_of(plan, question.substr(0, equal)), question.substr(equal + 3))
        << one.name << ": " << question;
  }
}

TEST(PlanCases, EveryCaseIsPlannedAsWritten) {
  std::vector<PlanCase> cases = plan_cases();
  for (PlanCase& one : cases) check(one);
  EXPECT_GT(cases.size(), 50U);
}

}  // namespace
}  // namespace runner::pipelines
