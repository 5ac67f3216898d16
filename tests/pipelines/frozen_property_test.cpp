// Whatever bytes a plan's texts are, and whichever jobs its lists name: it survives.

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "pipelines/frozen_plan.h"
#include "pipelines/plan_fields.h"

namespace runner::pipelines {
namespace {

// Much smaller than rapidcheck's own sizes: a plan holds texts in lists in lists.
constexpr int kTextSize = 12;
constexpr int kListSize = 6;

/// Any bytes, or characters of all lengths with what breaks them now and then.
rc::Gen<std::string> any_text() {
  const auto bytes = rc::gen::container<std::string>(
      rc::gen::map(rc::gen::inRange(0, 256), [](int byte) { return static_cast<char>(byte); }));
  const auto pieces =
      rc::gen::map(rc::gen::container<std::vector<std::string>>(rc::gen::elementOf(std::vector<std::string>{
                       "a", "\"", "\\", "\n", "\x1F", std::string(1, '\0'), "\xC2\x80", "ÿ", "\xE2\x82\xAC",
                       "\xF0\x9F\x98\x80", "\xF4\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xED\xA0\x80", "\xC0\x80",
                       "\xE2\x82", "\xEF\xBF\xBF", "\xFF"})),
                   [](const std::vector<std::string>& parts) {
                     std::string text;
                     for (const std::string& part : parts) text += part;
                     return text;
                   });
  return rc::gen::resize(kTextSize, rc::gen::oneOf(bytes, pieces));
}

std::vector<std::string> texts() {
  return *rc::gen::resize(kListSize, rc::gen::container<std::vector<std::string>>(any_text()));
}

std::vector<Variable> variables() {
  return *rc::gen::resize(
      kListSize,
      rc::gen::container<std::vector<Variable>>(rc::gen::build<Variable>(
          rc::gen::set(&Variable::name, any_text()), rc::gen::set(&Variable::value, any_text()),
          rc::gen::set(&Variable::source,
                       rc::gen::map(rc::gen::inRange(0, 15),
                                    [](int number) { return static_cast<VariableSource>(number); })),
          rc::gen::set(&Variable::raw), rc::gen::set(&Variable::masked), rc::gen::set(&Variable::is_public),
          rc::gen::set(&Variable::environment_scope, any_text()))));
}

std::vector<std::size_t> indexes(std::size_t jobs) {
  return *rc::gen::resize(
      kTextSize, rc::gen::container<std::vector<std::size_t>>(rc::gen::inRange<std::size_t>(0, jobs)));
}

TEST(FrozenProperty, PlansOfAnyTextsAndListsSurvive) {
  EXPECT_TRUE(rc::check("thaw(freeze(plan)) is the plan", [] {
    Plan plan;
    plan.name = *any_text();
    plan.stages = {*any_text()};
    plan.variables = variables();
    plan.jobs.resize(*rc::gen::inRange<std::size_t>(1, 8));
    const auto all = std::make_shared<const std::vector<std::size_t>>(indexes(plan.jobs.size()));
    for (PlanJob& job : plan.jobs) {
      job.name = *any_text();
      job.script = texts();
      job.variables = variables();
      job.artifacts.reports[*any_text()] = texts();
      if (*rc::gen::arbitrary<bool>())
        job.timeout = std::chrono::milliseconds(*rc::gen::arbitrary<std::int64_t>());
      job.retry.exit_codes = *rc::gen::arbitrary<std::vector<int>>();
      for (const std::size_t need : indexes(plan.jobs.size()))
        job.needs.push_back({need, *rc::gen::arbitrary<bool>()});
      job.artifact_sources = *rc::gen::arbitrary<bool>()
                                 ? JobIndices(all, *rc::gen::inRange<std::size_t>(0, all->size() + 1))
                                 : JobIndices(indexes(plan.jobs.size()));
    }
    const std::string text = freeze(plan);
    const Plan thawed = thaw(text);
    RC_ASSERT(same(thawed, plan));
    RC_ASSERT(freeze(thawed) == text);
  }));
}

TEST(FrozenProperty, FactsOfAnyTextsSurvive) {
  EXPECT_TRUE(rc::check("thaw_facts(freeze(facts)) are the facts", [] {
    PipelineFacts facts;
    facts.commit_message = *any_text();
    facts.user_id = *rc::gen::arbitrary<std::int64_t>();
    facts.created_at = TimePoint(std::chrono::milliseconds(*rc::gen::arbitrary<std::int64_t>()));
    facts.variables = variables();
    facts.inputs = *rc::gen::resize(
        kListSize, rc::gen::container<std::map<std::string, std::string>>(any_text(), any_text()));
    const std::string text = freeze(facts);
    const PipelineFacts thawed = thaw_facts(text);
    RC_ASSERT(same(thawed, facts));
    RC_ASSERT(freeze(thawed) == text);
  }));
}

}  // namespace
}  // namespace runner::pipelines
