#include "runner/cli/plan_view.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/golden.h"

namespace runner::cli {
namespace {

using namespace std::chrono_literals;
using pipelines::PlanResult;

PlanResult make_result() {
  PlanResult result;
  auto sources = std::make_shared<pipelines::Sources>();
  const pipelines::FileId file = sources->add(".gitlab-ci.yml", "build:\n  script: make\n");
  result.outcome = pipelines::PlanOutcome::planned;
  result.plan.emplace();
  pipelines::Plan& plan = *result.plan;
  plan.name = "Nightly";
  plan.stages = {"build", "deploy"};
  const auto add = [&](std::string name, std::size_t stage) -> pipelines::PlanJob& {
    pipelines::PlanJob& job = plan.jobs.emplace_back();
    job.name = job.group_name = std::move(name);
    job.stage_index = stage;
    job.stage = plan.stages[stage];
    job.script = {"true"};
    job.where = {file, static_cast<std::uint32_t>(plan.jobs.size()), 1, 1, 2};
    return job;
  };
  add("build", 0).rule_trace = {{{file, 3, 7, 3, 9}, false, {"if: $A -> false ($A is unset)"}},
                                {{file, 4, 7, 4, 9}, true, {"exists: Makefile -> Makefile"}}};
  pipelines::PlanJob& lint = add("lint", 0);
  lint.allow_failure.always = true;
  lint.dag = true;
  lint.image.emplace().name = "python:3.12";
  pipelines::PlanJob& deploy = add("deploy to production", 1);
  deploy.dag = true;
  deploy.needs = {{0, true}, {1, false}};
  plan.jobs[0].artifacts.paths = {"out"};
  deploy.artifact_sources = {0, 1};  // 'lint' leaves none: not worth a word
  deploy.manual_job = true;
  deploy.when = pipelines::When::manual;
  deploy.environment.emplace().name = "production";
  deploy.variables = {
      {"TOKEN", "hidden-value", pipelines::VariableSource::job, false, true, false, true, "*"},
      {"PLAIN", "seen", pipelines::VariableSource::job, false, false, false, true, "*"}};
  pipelines::PlanJob& late = add("late", 1);
  late.when = pipelines::When::delayed;
  late.start_in = 5min;
  pipelines::ExcludedJob& release = plan.excluded.emplace_back();
  release.name = "release";
  release.stage = "deploy";
  release.why = "no rule matched";
  release.where = {file, 9, 1, 9, 8};
  release.rule_trace = {
      {{file, 10, 5, 10, 9}, false, {"if: $CI_COMMIT_TAG -> false ($CI_COMMIT_TAG is unset)"}}};
  result.sources = std::move(sources);
  return result;
}

TEST(PlanView, Texts) {
  const PlanResult result = make_result();
  const Screen screen;
  EXPECT_EQ(test::compare_golden("cli/golden/list.txt", list_text(screen, *result.plan, false)), "");
  EXPECT_EQ(list_text(screen, *result.plan, true), "build\nlint\ndeploy to production\nlate\n");
  EXPECT_EQ(test::compare_golden("cli/golden/plan.txt", plan_text(screen, result)), "");
  const std::string explained = explain_text(screen, result, "build").value_or("?") +
                                explain_text(screen, result, "deploy to production").value_or("?") +
                                explain_text(screen, result, "late").value_or("?") +
                                explain_text(screen, result, "release").value_or("?");
  EXPECT_EQ(test::compare_golden("cli/golden/explain.txt", explained), "");
  EXPECT_EQ(explain_text(screen, result, "nothing"), std::nullopt);
}

TEST(PlanView, JsonIsCompleteAndHidesMaskedValues) {
  const PlanResult result = make_result();
  const std::string text = plan_json(result);
  EXPECT_EQ(text.find("hidden-value"), std::string::npos);
  const auto json = nlohmann::json::parse(text);
  EXPECT_EQ(json["stages"], (std::vector<std::string>{"build", "deploy"}));
  EXPECT_EQ(json["jobs"].size(), 4U);
  EXPECT_TRUE(json["jobs"][0]["needs"].is_null());
  EXPECT_EQ(json["jobs"][2]["needs"][1]["job"], "lint");
  EXPECT_EQ(json["jobs"][2]["needs"][1]["artifacts"], false);
  EXPECT_EQ(json["jobs"][2]["variables"][1]["value"], "seen");
  EXPECT_EQ(json["jobs"][3]["start_in"], 300);
  EXPECT_EQ(json["excluded"][0]["name"], "release");
  EXPECT_EQ(json["excluded"][0]["where"]["line"], 9);
}

TEST(PlanView, ListAndExplainAreJsonToo) {
  const PlanResult result = make_result();
  const auto list = nlohmann::json::parse(list_json(*result.plan));
  EXPECT_EQ(list[2]["name"], "deploy to production");
  EXPECT_EQ(list[2]["manual"], true);
  const auto explained = nlohmann::json::parse(explain_json(result, "release").value_or("[]"));
  EXPECT_EQ(explained[0]["in_pipeline"], false);
  EXPECT_EQ(explained[0]["rules"][0]["matched"], false);
  EXPECT_EQ(explain_json(result, "nothing"), std::nullopt);
}

TEST(PlanView, ExcludedJobsAreExplainedWithoutAPlan) {
  PlanResult result = make_result();
  result.excluded = result.plan->excluded;
  result.plan.reset();
  EXPECT_NE(explain_text(Screen{}, result, "release").value_or("").find("no rule matched"),
            std::string::npos);
}

}  // namespace
}  // namespace runner::cli
