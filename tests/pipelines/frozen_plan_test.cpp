#include "pipelines/frozen_plan.h"

#include <gtest/gtest.h>

#include <numeric>
#include <set>

#include "runner/base/error.h"
#include "runner/base/files.h"
#include "tests/pipelines/frozen_support.h"
#include "tests/pipelines/plan_cases.h"
#include "tests/support/source_dir.h"

namespace runner::pipelines {
namespace {

/// Thaws to the same plan, and that freezes to the same text.
void expect_round_trip(const Plan& plan, const std::string& name) {
  const std::string text = freeze(plan);
  const Plan thawed = thaw(text);
  EXPECT_TRUE(same(thawed, plan)) << name << ": " << text;
  EXPECT_EQ(freeze(thawed), text) << name;
}

void expect_round_trip(const PipelineFacts& facts, const std::string& name) {
  const std::string text = freeze(facts);
  const PipelineFacts thawed = thaw_facts(text);
  EXPECT_TRUE(same(thawed, facts)) << name << ": " << text;
  EXPECT_EQ(freeze(thawed), text) << name;
}

TEST(FrozenPlan, EveryCaseAndItsFactsSurvive) {
  std::size_t planned = 0;
  for (PlanCase& one : plan_cases()) {
    expect_round_trip(one.world.facts, one.name);
    const PlanResult result = one.world.plan(one.yaml);
    if (!result.plan) continue;
    expect_round_trip(*result.plan, one.name);
    ++planned;
  }
  EXPECT_GT(planned, 40U);
}

TEST(FrozenPlan, EveryGoldenFileSurvives) {
  std::size_t planned = 0;
  for (const auto& file : golden_plan_files()) {
    const PlanResult result = PlanWorld().plan(read_file(file).value());
    if (!result.plan) continue;
    expect_round_trip(*result.plan, file.filename().string());
    ++planned;
  }
  EXPECT_GE(planned, 3U);
}

/// Each field, and each of what it holds, differs from its default; and no field is listed twice.
struct AllSet {
  template <typename T>
  void expect(const T& object) {
    if constexpr (Described<T>) {
      std::set<const void*> places;
      std::set<std::string_view> names;
      const T defaults{};
      for_each_field<T>([&](const auto& field) {
        EXPECT_FALSE(same(object.*field.member, defaults.*field.member)) << field.name;
        EXPECT_TRUE(places.insert(&(object.*field.member)).second) << field.name;
        EXPECT_TRUE(names.insert(field.name).second) << field.name;
        ++fields;
        expect(object.*field.member);
      });
    }
  }
  template <typename T>
  void expect(const std::vector<T>& list) {
    ASSERT_FALSE(list.empty());
    for (const T& one : list) expect(one);
  }
  template <typename T>
  void expect(const std::optional<T>& present) {
    ASSERT_TRUE(present);
    expect(*present);
  }
  void expect(const std::vector<Need>& needs) {
    expect(needs.at(0));
  }  // the next one needs job 0, the default

  std::size_t fields = 0;
};

TEST(FrozenPlan, EveryFieldThatIsNotItsDefaultSurvives) {
  const Plan plan = filled_plan();
  AllSet all;
  all.expect(plan);
  EXPECT_GT(all.fields, 200U);
  expect_round_trip(plan, "filled plan");
  const PipelineFacts facts = filled_facts();
  all.expect(facts);
  expect_round_trip(facts, "filled facts");
}

template <typename Enum>
std::size_t expect_names_are_unique() {
  std::set<std::string_view> names;
  for (std::uint8_t i = 0; !frozen_name(static_cast<Enum>(i)).empty(); ++i) {
    EXPECT_TRUE(names.insert(frozen_name(static_cast<Enum>(i))).second) << frozen_name(static_cast<Enum>(i));
    EXPECT_EQ(from_frozen_name<Enum>(frozen_name(static_cast<Enum>(i))), static_cast<Enum>(i));
  }
  EXPECT_EQ(from_frozen_name<Enum>(""), std::nullopt);
  return names.size();
}

TEST(FrozenPlan, EveryEnumeratorHasItsName) {
  EXPECT_EQ(expect_names_are_unique<When>(), 6U);
  EXPECT_EQ(expect_names_are_unique<SaveWhen>(), 3U);
  EXPECT_EQ(expect_names_are_unique<AutoCancelNewCommit>(), 3U);
  EXPECT_EQ(expect_names_are_unique<RefKind>(), 3U);
  EXPECT_EQ(expect_names_are_unique<VariableSource>(), 15U);
}

TEST(FrozenPlan, AnEnumeratorWithoutANameIsRefused) {
  Plan plan;
  plan.jobs.resize(1);
  plan.jobs[0].when = static_cast<When>(77);
  EXPECT_THROW(freeze(plan), Error);
}

// Written once by the first binary that froze plans. Never rewritten: what a database holds must stay
// readable.
TEST(FrozenPlan, PlansOfTheFirstFormatAreReadForEver) {
  const auto folder = test::source_dir() / "tests/pipelines/golden/frozen";
  const std::string plan = read_file(folder / "plan_1.json").value();
  const std::string facts = read_file(folder / "facts_1.json").value();
  EXPECT_EQ(freeze(thaw(plan)), plan);
  EXPECT_EQ(freeze(thaw_facts(facts)), facts);
}

// A default that changes would change plans that were frozen without the key.
TEST(FrozenPlan, WhatIsLeftOutTakesTheDefaultsOfTheFirstFormat) {
  const Plan plan = thaw(
      R"({"format":1,"stages":["test"],"jobs":[{"image":{},"services":[{}],"caches":[{}],"environment":{},)"
      R"("trigger":{},"foreign_needs":[{}],"variables":[{}],"rule_trace":[{}],"artifacts":{}}],"excluded":[{}]})");
  const PlanJob& job = plan.jobs.at(0);
  EXPECT_EQ(plan.on_new_commit, AutoCancelNewCommit::conservative);
  EXPECT_FALSE(plan.cancel_on_job_failure);
  EXPECT_EQ(job.when, When::on_success);
  EXPECT_FALSE(job.start_in || job.timeout || job.manual_job || job.interruptible || job.dag);
  EXPECT_FALSE(job.allow_failure.always || job.retry.configured);
  EXPECT_EQ(job.retry.max, 0);
  EXPECT_EQ(job.node_index, 0U);
  EXPECT_EQ(job.node_total, 1U);
  EXPECT_FALSE(job.image->entrypoint);
  EXPECT_EQ(job.caches.at(0).policy, "pull-push");
  EXPECT_EQ(job.caches[0].when, SaveWhen::on_success);
  EXPECT_FALSE(job.caches[0].untracked || job.caches[0].unprotect || job.caches[0].key.by_commit);
  EXPECT_EQ(job.artifacts.when, SaveWhen::on_success);
  EXPECT_FALSE(job.artifacts.wanted() || job.artifacts.expire_in || job.artifacts.never_expires);
  EXPECT_EQ(job.environment->action, "start");
  EXPECT_TRUE(job.trigger->forward_yaml_variables);
  EXPECT_FALSE(job.trigger->forward_pipeline_variables);
  EXPECT_TRUE(job.foreign_needs.at(0).artifacts);
  const Variable& variable = job.variables.at(0);
  EXPECT_EQ(variable.source, VariableSource::predefined);
  EXPECT_EQ(variable.environment_scope, "*");
  EXPECT_TRUE(variable.is_public);
  EXPECT_FALSE(variable.raw || variable.masked || variable.file);
  EXPECT_FALSE(job.rule_trace.at(0).matched || job.where.known());

  const PipelineFacts facts = thaw_facts(R"({"format":1})");
  EXPECT_EQ(facts.source, "push");
  EXPECT_EQ(facts.ref_kind, RefKind::branch);
  EXPECT_EQ(facts.default_branch, "main");
  EXPECT_EQ(facts.server_url, "http://localhost");
  EXPECT_EQ(facts.config_path, ".gitlab-ci.yml");
  EXPECT_EQ(facts.project_id, 1);
  EXPECT_EQ(facts.pipeline_id, 1);
  EXPECT_EQ(facts.pipeline_iid, 1);
  EXPECT_EQ(facts.user_id, 0);
  EXPECT_EQ(facts.created_at, TimePoint{});
  EXPECT_TRUE(facts.explain_rules);
}

TEST(FrozenPlan, DefaultsAreNotWritten) {
  EXPECT_EQ(freeze(Plan{}), R"({"format":1})");
  EXPECT_EQ(freeze(PipelineFacts{}), R"({"format":1})");
  Plan plan;
  plan.stages = {"test"};
  plan.jobs.resize(3);
  plan.jobs[0].name = "a";
  plan.jobs[2].needs = {{0}, {1}, {2, false}};
  plan.jobs[2].artifact_sources = {0, 2};
  plan.jobs[1].image.emplace();
  plan.jobs[1].script = {"", "\xE4"};
  EXPECT_EQ(
      freeze(plan),
      R"({"format":1,"stages":["test"],"jobs":[{"name":"a"},{"script":["",{"bytes":"ä"}],"image":{}},)"
      R"({"needs":0,"artifact_sources":[0,2]}],"job_lists":[[0,2]],"need_lists":[[[0,1],[2,2,false]]]})");
}

TEST(FrozenPlan, ThousandsOfJobsAfterThousandsShareTheirList) {
  std::vector<std::size_t> first(10'000);
  std::iota(first.begin(), first.end(), 0U);
  const auto list = std::make_shared<const std::vector<std::size_t>>(std::move(first));
  Plan plan;
  plan.stages = {"one", "two"};
  plan.jobs.resize(20'000);
  for (std::size_t job = 10'000; job < 20'000; ++job) {
    plan.jobs[job].stage_index = 1;
    plan.jobs[job].artifact_sources = JobIndices(list, list->size());
  }
  const std::string text = freeze(plan);
  EXPECT_LT(text.size(), plan.jobs.size() * 60);
  const Plan thawed = thaw(text);
  EXPECT_TRUE(same(thawed, plan));
  for (std::size_t job = 10'000; job < 20'000; ++job) {
    ASSERT_EQ(thawed.jobs[job].artifact_sources.begin(), thawed.jobs[10'000].artifact_sources.begin());
  }
}

TEST(FrozenPlan, ShorterStartsOfAListAreSharedWhicheverComesFirst) {
  const auto list = std::make_shared<const std::vector<std::size_t>>(std::vector<std::size_t>{0, 2, 3});
  Plan plan;
  plan.stages = {"test"};
  plan.jobs.resize(4);
  plan.jobs[0].artifact_sources = JobIndices(list, 1);
  plan.jobs[1].artifact_sources = JobIndices(list, 3);
  plan.jobs[2].artifact_sources = {0, 2, 3};  // equal, though another list
  plan.jobs[3].artifact_sources = JobIndices(list, 0);
  expect_round_trip(plan, "starts");
  const std::string text = freeze(plan);
  EXPECT_NE(text.find(R"("job_lists":[[0,[2,3]]])"), std::string::npos) << text;
  const Plan thawed = thaw(text);
  EXPECT_EQ(thawed.jobs[0].artifact_sources.begin(), thawed.jobs[1].artifact_sources.begin());
  EXPECT_EQ(thawed.jobs[2].artifact_sources.begin(), thawed.jobs[1].artifact_sources.begin());
  EXPECT_TRUE(thawed.jobs[3].artifact_sources.empty());
}

TEST(FrozenPlan, ThousandsOfJobsWithThousandsOfNeedsStaySmall) {
  Plan plan;
  plan.stages = {"one", "two"};
  plan.jobs.resize(20'000);
  const std::size_t without = freeze(plan).size();
  for (std::size_t job = 10'000; job < 20'000; ++job) {
    plan.jobs[job].stage_index = 1;
    plan.jobs[job].dag = true;
    // All of the first stage; of twenty jobs only, as the plan itself takes 160 kB for each of them.
    if (job < 10'020) {
      for (std::size_t need = 0; need < 10'000; ++need) plan.jobs[job].needs.push_back({need, need < 5'000});
    } else if (job < 10'040) {
      for (std::size_t need = 0; need < 10'000; need += 2) plan.jobs[job].needs.push_back({need});
    } else {
      for (std::size_t need = 0; need < 50; ++need)
        plan.jobs[job].needs.push_back({(job + 200 * need) % 10'000});
    }
  }
  const std::string text = freeze(plan);
  EXPECT_LT(text.size(), without + 3'200'000) << "fifty numbers for each job, and two lists";
  const Plan thawed = thaw(text);
  EXPECT_TRUE(same(thawed, plan));
}

}  // namespace
}  // namespace runner::pipelines
