#include "runner/cli/selection.h"

#include <gtest/gtest.h>

namespace runner::cli {
namespace {

using pipelines::ExcludedJob;
using pipelines::Plan;

Plan make_plan() {
  Plan plan;
  for (const auto& [name, group] : std::vector<std::pair<std::string, std::string>>{
           {"build", "build"}, {"test 1/2", "test"}, {"test 2/2", "test"}, {"deploy", "deploy"}}) {
    pipelines::PlanJob& job = plan.jobs.emplace_back();
    job.name = name;
    job.group_name = group;
  }
  plan.jobs[3].manual_job = true;
  plan.jobs[0].artifacts.paths = {"out"};
  plan.jobs[1].artifacts.reports = {{"dotenv", {"x.env"}}};
  plan.jobs[2].artifacts.reports = {{"junit", {"junit.xml"}}};
  plan.jobs[1].artifact_sources = {0};
  plan.jobs[3].artifact_sources = {1, 2};
  return plan;
}

const std::vector<ExcludedJob> kExcluded{{"nightly", "test", {}, "no rule matched", {}}};
using Jobs = std::vector<std::size_t>;
using Names = std::vector<std::string>;

Chosen choose(const Names& names, const Names& manual = {}) {
  return choose_jobs(make_plan(), kExcluded, names, manual);
}

TEST(Selection, NothingNamedIsEverything) {
  const Chosen chosen = choose({});
  EXPECT_FALSE(chosen.problem);
  EXPECT_TRUE(chosen.jobs.empty());
  EXPECT_TRUE(chosen.play.empty());
}

TEST(Selection, ABaseNameStandsForAllInstances) {
  EXPECT_EQ(choose({"test"}).jobs, (Jobs{1, 2}));
  EXPECT_EQ(choose({"test 2/2", "build"}).jobs, (Jobs{0, 2}));
}

TEST(Selection, NamingAManualJobStartsIt) {
  const Chosen named = choose({"deploy", "build"});
  EXPECT_EQ(named.jobs, (Jobs{0, 3}));
  EXPECT_EQ(named.play, Jobs{3});
  const Chosen option = choose({}, {"deploy"});
  EXPECT_TRUE(option.jobs.empty());
  EXPECT_EQ(option.play, Jobs{3});
}

TEST(Selection, ManualWithoutEffectIsTold) {
  EXPECT_EQ(choose({"build"}, {"deploy"}).notices, Names{"--manual 'deploy' is none of the jobs to run"});
  EXPECT_EQ(choose({}, {"build"}).notices, Names{"job 'build' is not manual, --manual changes nothing"});
  EXPECT_TRUE(choose({"build"}, {"deploy"}).play.empty());
}

TEST(Selection, UnknownNamesAreRefusedWithTheNearest) {
  const Chosen chosen = choose({"biuld"});
  EXPECT_EQ(chosen.problem, "no job is called 'biuld'");
  EXPECT_EQ(chosen.help, "did you mean 'build'?");
  EXPECT_EQ(choose({"build"}, {"depoly"}).help, "did you mean 'deploy'?");
  EXPECT_EQ(choose({"zzzzzzzz"}).help, "'runner exec --list' names them");
}

TEST(Selection, AJobThatIsNotInThePipelineIsLeftOut) {
  const Chosen chosen = choose({"nightly", "build"});
  EXPECT_FALSE(chosen.problem);
  EXPECT_EQ(chosen.jobs, Jobs{0});
  EXPECT_EQ(chosen.notices, Names{"job 'nightly' is not in this pipeline: no rule matched"});
  EXPECT_EQ(choose({"nightly"}).problem, "job 'nightly' is not in this pipeline: no rule matched");
}

TEST(Selection, ClosureFollowsArtifacts) {
  EXPECT_EQ(artifact_closure(make_plan(), 3), (Jobs{0, 1, 3}));
  EXPECT_EQ(artifact_closure(make_plan(), 2), Jobs{2});
}

}  // namespace
}  // namespace runner::cli
