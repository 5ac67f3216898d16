// What attempts left, as text and back.
#include "runner/engine/outcome_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runner/base/error.h"

namespace runner::engine {
namespace {

using ::testing::HasSubstr;

JobResult full_result() {
  JobResult result;
  result.slot = 3;
  result.archiving = true;
  auto entry = std::make_shared<cache::Entry>();
  entry->name = {cache::Space::artifact, "shop", "12/build"};
  result.collected.layer = entry;
  result.collected.name = "out\xff";
  result.collected.format = artifacts::ArchiveFormat::tar_zst;
  result.collected.compression = 7;
  result.collected.dotenv = {{"VERSION", "1\n2"}, {"BYTES", "\xfe\x00z"}};
  result.collected.tests_total = 10;
  result.collected.tests_failed = 2;
  result.coverage = 87.5;
  result.warnings = {"one", "b\x80"};
  result.environment_url = "https://shop";
  result.archive = ArchiveView{"out", "/data/ab/abc.zip", "abc", 5, 6};
  result.reports = ArchiveView{"out-reports", "/data/cd/cde.zip", "cde", 7, 8};
  return result;
}

TEST(OutcomeText, GivesBackAllOfAResult) {
  const JobResult full = full_result();
  cache::EntryName asked;
  const JobResult back = thaw_result(freeze(full), [&](const cache::EntryName& name, std::string&) {
    asked = name;
    return full.collected.layer;
  });
  EXPECT_EQ(asked, full.collected.layer->name);
  EXPECT_EQ(back.collected.layer, full.collected.layer);
  EXPECT_EQ(back.lost, "");
  EXPECT_EQ(freeze(back), freeze(full));
  EXPECT_EQ(back.collected.dotenv, full.collected.dotenv);
  EXPECT_EQ(back.warnings, full.warnings);
}

TEST(OutcomeText, OfNothingIsNothing) {
  const JobResult back = thaw_result(freeze(JobResult()), {});
  EXPECT_EQ(freeze(back), freeze(JobResult()));
  EXPECT_EQ(back.lost, "");
}

TEST(OutcomeText, TellsWhyArtifactsAreGone) {
  const JobResult back = thaw_result(freeze(full_result()), [](const cache::EntryName&, std::string& why) {
    why = "evicted";
    return cache::HeldEntry();
  });
  EXPECT_EQ(back.lost, "evicted");
}

TEST(OutcomeText, GivesBackHowAJobEnded) {
  const RunResult ends[] = {
      {RunResult::Kind::success, pipelines::FailureReason::unknown_failure, 0, ""},
      {RunResult::Kind::failed, pipelines::FailureReason::script_failure, 3, "exit code 3"},
      {RunResult::Kind::failed, pipelines::FailureReason::runner_system_failure, {}, "lost"},
      {RunResult::Kind::canceled, pipelines::FailureReason::unknown_failure, {}, "killed"},
  };
  for (const RunResult& end : ends) {
    JobOutcome outcome;
    outcome.result = end;
    const JobOutcome back = thaw_outcome(freeze(outcome), {});
    EXPECT_EQ(back.result.kind, end.kind);
    EXPECT_EQ(back.result.exit_code, end.exit_code);
    EXPECT_EQ(back.result.reason, end.reason);
    EXPECT_EQ(freeze(back), freeze(outcome));
  }
}

TEST(OutcomeText, RefusesWhatIsDamaged) {
  const std::string whole = freeze(full_result());
  const std::string texts[] = {"",
                               "[]",
                               "{\"slot\":\"x\"}",
                               "{\"collected\":{\"layer\":[\"moon\",\"a\",\"b\"]}}",
                               "{\"warnings\":[7]}",
                               whole.substr(0, whole.size() / 2)};
  for (const std::string& text : texts) {
    try {
      thaw_result(text, {});
      ADD_FAILURE() << text;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::corrupt) << text;
      EXPECT_THAT(error.what(), HasSubstr("cannot be read")) << text;
    }
  }
  EXPECT_THROW(thaw_outcome("{\"kind\":\"perhaps\"}", {}), Error);
  EXPECT_THROW(thaw_archives("{\"archive\":{}}"), Error);
}

}  // namespace
}  // namespace runner::engine
