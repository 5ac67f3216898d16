// Frozen text that no freeze() of this binary wrote: damaged, of a newer one, or hostile.

#include <gtest/gtest.h>

#include "pipelines/frozen_plan.h"
#include "runner/base/error.h"
#include "tests/pipelines/frozen_support.h"

namespace runner::pipelines {
namespace {

/// The message of the Error{corrupt}; "accepted" when there is none.
template <typename Thaw>
std::string refusal(const Thaw& thaw_text, std::string_view text) {
  try {
    thaw_text(text);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::corrupt);
    return error.what();
  }
  return "accepted";
}

std::string refusal(std::string_view text) {
  return refusal([](std::string_view one) { return thaw(one); }, text);
}

void expect_indexes_in_range(const Plan& plan) {
  for (const PlanJob& job : plan.jobs) {
    EXPECT_LT(job.stage_index, plan.stages.size());
    for (const Need& need : job.needs) EXPECT_LT(need.job, plan.jobs.size());
    for (const std::size_t source : job.artifact_sources) EXPECT_LT(source, plan.jobs.size());
  }
}

/// A little of everything.
std::string small_plan() {
  Plan plan;
  plan.stages = {"one", "two"};
  plan.jobs.resize(4);
  plan.jobs[0].script = {"make \"all\"\n"};
  plan.jobs[0].artifacts.reports["junit"] = {"a.xml"};
  plan.jobs[1].stage_index = 1;
  plan.jobs[2].needs = {{0}, {1}, {3, false}};
  plan.jobs[3].artifact_sources = {0, 1, 2};
  plan.jobs[3].timeout = std::chrono::milliseconds(5);
  plan.variables.push_back({"A", "\xFF"});
  return freeze(plan);
}

TEST(FrozenDamage, TextThatEndsTooEarlyIsRefusedAtEveryByte) {
  const std::string text = small_plan();
  for (std::size_t size = 0; size < text.size(); ++size)
    ASSERT_NE(refusal(text.substr(0, size)), "accepted") << "after " << size << " bytes";
  EXPECT_EQ(refusal(text), "accepted");
  EXPECT_NE(refusal(text + "{}"), "accepted");
}

TEST(FrozenDamage, NoChangedByteLeadsOutOfThePlan) {
  std::string text = small_plan();
  std::size_t refused = 0, accepted = 0;
  for (char& byte : text) {
    const char before = byte;
    const std::string others = std::string("\0\1 \"\\,:[]{}-09e\x80\xFF", 17) +
                               static_cast<char>(before ^ 1) + static_cast<char>(before ^ 32);
    for (const char other : others) {
      byte = other;
      try {
        expect_indexes_in_range(thaw(text));
        ++accepted;
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::corrupt);
        ++refused;
      }
    }
    byte = before;
  }
  EXPECT_GT(refused, text.size() * 10);
  EXPECT_GT(accepted, text.size() / 10) << "other values are plans too: whoever stores them seals them";
}

struct Damage {
  std::string text;
  std::string says;
};

TEST(FrozenDamage, MessagesNameThePlaceAndTheMend) {
  const std::string mend = "; restore the database from a backup, or create the pipeline anew";
  const std::string older =
      "; this runner is older than its database: start the one that wrote it, or a newer one";
  const std::string damaged = "the frozen plan is damaged: ";
  const std::vector<Damage> cases = {
      {"", damaged + "no JSON at byte 1 of 0" + mend},
      {std::string("{\"format\":1}\0", 13), damaged + "zero byte at byte 13 of 13" + mend},
      {"[]", damaged + "the whole is no mapping" + mend},
      {"{}", damaged + "the whole has no 'format'" + mend},
      {R"({"format":"1"})", damaged + "format is no whole number" + mend},
      {R"({"format":0})", damaged + "there is no format 0" + mend},
      {R"({"format":2,"x":1})", "the frozen plan is of format 2, and formats up to 1 are known" + older},
      {R"({"format":18446744073709551615})", damaged + "format is out of range" + mend},
      {R"({"format":1e999})", damaged + "a number in it is out of range" + mend},
      {R"({"format":1,"jobs":[{"colour":1}]})",
       "the frozen plan has the unknown key 'colour' in jobs[0], or is damaged" + older},
      {R"({"format":1,"pass word":1})",
       "the frozen plan has the unknown key (not shown), or is damaged" + older},
      {R"({"format":1,"jobs":[{},{"when":"soon"}]})",
       "the frozen plan has a name at jobs[1].when that is not known here, or is damaged" + older},
      {R"({"format":1,"jobs":[{"when":3}]})", damaged + "jobs[0].when is no text" + mend},
      {R"({"format":1,"jobs":{}})", damaged + "jobs is no list" + mend},
      {R"({"format":1,"jobs":[1]})", damaged + "jobs[0] is no mapping" + mend},
      {R"({"format":1,"jobs":[{"image":null}]})", damaged + "jobs[0].image is no mapping" + mend},
      {R"({"format":1,"jobs":[{"script":["a",1]}]})", damaged + "jobs[0].script[1] is no text" + mend},
      {R"({"format":1,"jobs":[{"dag":1}]})", damaged + "jobs[0].dag is neither true nor false" + mend},
      {R"({"format":1,"jobs":[{"timeout":1.5}]})", damaged + "jobs[0].timeout is no whole number" + mend},
      {R"({"format":1,"jobs":[{"timeout":9223372036854775808}]})",
       damaged + "jobs[0].timeout is out of range" + mend},
      {R"({"format":1,"jobs":[{"retry":{"max":2147483648}}]})",
       damaged + "jobs[0].retry.max is out of range" + mend},
      {R"({"format":1,"jobs":[{"node_index":-1}]})", damaged + "jobs[0].node_index is out of range" + mend},
      {R"({"format":1,"jobs":[{"where":{"line":4294967296}}]})",
       damaged + "jobs[0].where.line is out of range" + mend},
      {R"({"format":1,"jobs":[{}]})", damaged + "jobs[0].stage_index names stage 0 of 0" + mend},
      {R"({"format":1,"stages":["a"],"jobs":[{},{"stage_index":1}]})",
       damaged + "jobs[1].stage_index names stage 1 of 1" + mend},
      {R"({"format":1,"name":{"bytes":"€"}})", damaged + "name has characters that are no bytes" + mend},
      {R"({"format":1,"name":{"bytes":1}})", damaged + "name is no text" + mend},
      {R"({"format":1,"name":{"bytes":"a","x":"b"}})", damaged + "name is no text" + mend},
      {R"({"format":1,"jobs":[{"artifacts":{"reports":[["junit"]]}}]})",
       damaged + "jobs[0].artifacts.reports[0] is no key with its value" + mend},
      {R"({"format":1,"jobs":[{"artifacts":{"reports":[["junit",[]],["junit",[]]]}}]})",
       damaged + "jobs[0].artifacts.reports[1] has the key of another entry" + mend},
      {R"({"format":1,"jobs":[{"needs":0}]})", damaged + "jobs[0].needs names list 0 of 0" + mend},
      {R"({"format":1,"jobs":[{}],"need_lists":[[1]]})",
       damaged + "need_lists[0][0] names job 1 of 1" + mend},
      {R"({"format":1,"jobs":[{}],"need_lists":[[[0,18446744073709551615]]]})",
       damaged + "need_lists[0][0] names job 18446744073709551615 of 1" + mend},
      {R"({"format":1,"jobs":[{},{}],"need_lists":[[0,[1,0]]]})",
       damaged + "need_lists[0][1] names job 0 of 2" + mend},
      {R"({"format":1,"jobs":[{}],"need_lists":[[[0,0,1]]]})",
       damaged + "need_lists[0][0] is no run of jobs" + mend},
      {R"({"format":1,"jobs":[{}],"need_lists":[[[0]]]})",
       damaged + "need_lists[0][0] is no run of jobs" + mend},
      {R"({"format":1,"jobs":[{}],"need_lists":[{}]})", damaged + "need_lists[0] is no list" + mend},
      {R"({"format":1,"jobs":[{}],"need_lists":7})", damaged + "need_lists is no list" + mend},
      {R"({"format":1,"jobs":[{}],"job_lists":[[[0,0,false]]]})",
       damaged + "job_lists[0][0] is no run of jobs" + mend},
      {R"({"format":1,"jobs":[{"artifact_sources":[0,2]}],"job_lists":[[0]]})",
       damaged + "jobs[0].artifact_sources names 2 jobs of list 0, which is shorter" + mend},
      {R"({"format":1,"jobs":[{"artifact_sources":[1,0]}],"job_lists":[[0]]})",
       damaged + "jobs[0].artifact_sources names 0 jobs of list 1, which is shorter" + mend},
      {R"({"format":1,"jobs":[{"artifact_sources":0}],"job_lists":[[0]]})",
       damaged + "jobs[0].artifact_sources is no start of a list" + mend},
  };
  for (const Damage& one : cases) {
    const std::string said = refusal(one.text);
    EXPECT_TRUE(said.starts_with(one.says)) << one.text << "\n" << said;
  }
}

TEST(FrozenDamage, FactsAndPlansAreNotMistakenForEachOther) {
  const auto as_facts = [](std::string_view text) { return thaw_facts(text); };
  EXPECT_TRUE(refusal(as_facts, freeze(filled_plan())).starts_with("the frozen facts has the unknown key"));
  EXPECT_TRUE(refusal(freeze(filled_facts())).starts_with("the frozen plan has the unknown key"));
  EXPECT_TRUE(refusal(as_facts, R"({"format":1,"ref_kind":"twig"})").find("ref_kind") != std::string::npos);
}

TEST(FrozenDamage, MessagesKeepTheSecretsOfTheText) {
  const std::string secret = "hunter2";
  const std::vector<std::string> texts = {
      R"({"format":1,"variables":[{"name":"A","value":"hunter2)",
      R"({"format":1,"variables":[{"name":"A","value":"hunter2\x"}]})",
      R"({"format":1,"variables":[{"name":"A","source":"hunter2"}]})",
      R"({"format":1,"variables":[{"name":"A","Value hunter2":""}]})",
      R"({"format":1,"variables":["hunter2"]})",
      R"({"format":1,"name":{"bytes":"hunter2€"}})",
  };
  for (const std::string& text : texts) {
    const std::string said = refusal(text);
    EXPECT_NE(said, "accepted") << text;
    EXPECT_EQ(said.find(secret), std::string::npos) << said;
  }
}

// A list of a few bytes may stand for all jobs, and all jobs may name it: without a bound, a text of two
// megabytes would ask for hundreds of gigabytes.
TEST(FrozenDamage, AShortTextCannotAskForEndlessMemory) {
  std::string text = R"({"format":1,"stages":["a"],"need_lists":[[)";
  for (int i = 0; i < 30'000; ++i) text += i == 0 ? "[0,9999]" : ",[0,9999]";
  text += R"(]],"jobs":[)";
  for (int i = 0; i < 10'000; ++i) text += i == 0 ? R"({"needs":0})" : R"(,{"needs":0})";
  EXPECT_TRUE(
      refusal(text + "]}").starts_with("the frozen plan is damaged: jobs[0].needs has more needs than any"));
}

TEST(FrozenDamage, DeepNestingCostsNoStack) {
  const std::string deep(200'000, '[');
  EXPECT_NE(refusal(deep), "accepted");
  EXPECT_NE(refusal(R"({"format":1,"name":)" + deep + std::string(deep.size(), ']') + "}"), "accepted");
}

}  // namespace
}  // namespace runner::pipelines
