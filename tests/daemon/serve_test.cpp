// From a push to a pipeline that is over, with real git, real shells and real processes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runner/storage/ref_table.h"
#include "tests/daemon/served.h"

namespace runner::test {
namespace {

namespace fs = std::filesystem;
using pipelines::JobStatus;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr const char* kGreen = R"yml(
stages: [build, test]
build: {stage: build, script: ['echo made > out'], artifacts: {paths: [out]}}
check: {stage: test, script: ['cat out; git log --format=%s -1; echo "$CI_PIPELINE_SOURCE $CI_COMMIT_BRANCH $CI_PROJECT_NAME"']}
)yml";

TEST(Serve, RunsWhatIsPushedToWatchedBranches) {
  Served served;
  served.write(".gitlab-ci.yml", kGreen);
  const std::string first = served.commit("first");
  served.git("git branch topic");
  const auto project = served.add_project();
  served.start();
  auto pipelines = served.wait_for(1);
  EXPECT_EQ(pipelines[0].status, JobStatus::success);
  EXPECT_EQ(pipelines[0].sha, first);
  EXPECT_EQ(pipelines[0].ref, "main");
  EXPECT_EQ(pipelines[0].iid, 1);
  EXPECT_EQ(pipelines[0].before_sha, std::string(40, '0'));
  EXPECT_EQ(pipelines[0].project_id, project.id);
  const auto jobs = served.jobs(pipelines[0].id);
  ASSERT_THAT(jobs, SizeIs(2));
  EXPECT_THAT(served.log(jobs[1]), HasSubstr("made\n"));
  EXPECT_THAT(served.log(jobs[1]), HasSubstr("first\npush main shop\n"));

  const std::string second = served.commit("second");
  pipelines = served.wait_for(2);
  ASSERT_THAT(pipelines, SizeIs(2)) << "the branch 'topic' is not watched";
  EXPECT_EQ(pipelines[1].sha, second);
  EXPECT_EQ(pipelines[1].before_sha, first);
  EXPECT_EQ(pipelines[1].iid, 2);
}

TEST(Serve, NeverRunsACommitOfARefTwice) {
  Served served;
  served.write(".gitlab-ci.yml", kGreen);
  served.commit("first");
  served.add_project();
  served.start();
  served.wait_for(1);
  served.stop();
  // As if what it had seen of the branch were lost.
  served.store().write([](storage::Tx& tx) { storage::RefHeads(tx).remove(1, "refs/heads/main"); });
  served.start();
  served.wait_until([&](const auto&) {
    bool seen = false;
    served.store().read(
        [&](storage::Tx& tx) { seen = storage::RefHeads(tx).find(1, "refs/heads/main").has_value(); });
    return seen;
  });
  EXPECT_THAT(served.pipelines(), SizeIs(1));
}

TEST(Serve, SkipsWhatAsksForIt) {
  Served served;
  served.write(".gitlab-ci.yml", kGreen);
  served.commit("first [skip ci]");
  served.add_project();
  served.start();
  served.wait_until([&](const auto&) { return !served.events().empty(); });
  EXPECT_EQ(served.events()[0].kind, "pipeline.none");
  EXPECT_THAT(served.pipelines(), IsEmpty());
  served.commit("second");
  EXPECT_THAT(served.wait_for(1), SizeIs(1));
}

TEST(Serve, SaysWhereAPipelineFileIsWrong) {
  Served served;
  served.write(".gitlab-ci.yml", "build:\n  stage: nowhere\n  script: ['true']\n");
  served.commit("broken");
  served.add_project();
  served.start();
  auto pipelines = served.wait_for(1);
  EXPECT_EQ(pipelines[0].status, JobStatus::failed);
  ASSERT_THAT(served.events(), SizeIs(1));
  EXPECT_EQ(served.events()[0].kind, "pipeline.invalid");
  EXPECT_THAT(served.events()[0].payload, HasSubstr(".gitlab-ci.yml:2:"));
  served.write(".gitlab-ci.yml", kGreen);
  served.commit("mended");
  pipelines = served.wait_for(2);
  EXPECT_EQ(pipelines[1].status, JobStatus::success);
}

TEST(Serve, AMissingPipelineFileIsNamed) {
  Served served;
  served.write("README", "nothing here");
  served.commit("bare");
  served.add_project();
  served.start();
  EXPECT_EQ(served.wait_for(1)[0].status, JobStatus::failed);
  EXPECT_THAT(served.events()[0].payload, HasSubstr("there is no file '.gitlab-ci.yml'"));
}

TEST(Serve, ANewerPushEndsWhatHasNotStarted) {
  Served served;
  const fs::path gate = served.data() / "gate";
  served.write(".gitlab-ci.yml",
               "stages: [a, b]\nwait: {stage: a, interruptible: true, script: ['while [ ! -e " +
                   gate.native() + " ]; do sleep 0.05; done']}\nlast: {stage: b, script: ['true']}\n");
  served.commit("first");
  served.add_project();
  served.start();
  served.wait_until([&](const auto& found) {
    return found.size() == 1 && served.jobs(found[0].id)[0].status == JobStatus::running;
  });
  served.commit("second");
  served.wait_until([](const auto& found) { return found.size() == 2 && is_completed(found[0].status); });
  write_file_atomic(gate, "");
  const auto pipelines = served.wait_for(2);
  EXPECT_EQ(pipelines[0].status, JobStatus::canceled);
  EXPECT_EQ(pipelines[1].status, JobStatus::success);
}

TEST(Serve, LeavesRunningJobsToTheNextOne) {
  Served served;
  const fs::path gate = served.data() / "gate", ran = served.data() / "ran";
  served.write(".gitlab-ci.yml",
               "job:\n  script: ['echo x >> " + ran.native() + "', 'while [ ! -e " + gate.native() +
                   " ]; do sleep 0.05; done', echo through]\n  after_script: [echo after]\n");
  served.commit("first");
  served.add_project();
  served.start();
  served.wait_until([&](const auto&) { return fs::exists(ran); });
  served.stop();
  EXPECT_EQ(served.jobs(1)[0].status, JobStatus::running);
  // It comes to its end while nobody serves.
  write_file_atomic(gate, "");
  const fs::path outcome = served.data() / "jobs" / std::to_string(served.jobs(1)[0].id) / "outcome";
  served.wait_until([&](const auto&) { return fs::exists(outcome); });
  served.start();
  const auto pipelines = served.wait_for(1);
  EXPECT_EQ(pipelines[0].status, JobStatus::success);
  EXPECT_EQ(read_file(ran), "x\n");
  EXPECT_THAT(served.log(served.jobs(1)[0]), HasSubstr("through\n"));
  EXPECT_THAT(served.log(served.jobs(1)[0]), HasSubstr("after\n"));
  served.wait_until([&](const auto&) { return fs::is_empty(served.data() / "jobs"); });
}

TEST(Serve, GoesOnWhenARepositoryCanBeReachedAgain) {
  Served served;
  served.write(".gitlab-ci.yml", kGreen);
  served.commit("first");
  const fs::path away = served.repository().native() + ".away";
  fs::rename(served.repository(), away);
  served.add_project();
  served.start();
  served.wait_until([](const auto&) { return true; });
  fs::rename(away, served.repository());
  EXPECT_EQ(served.wait_for(1)[0].status, JobStatus::success);
}

TEST(Serve, JobsThatWantAnImageAreNotRunWithoutIt) {
  Served served;
  served.write(".gitlab-ci.yml", "job: {image: alpine, script: ['true']}\n");
  served.commit("first");
  served.add_project();
  served.start();
  const auto pipelines = served.wait_for(1);
  EXPECT_EQ(pipelines[0].status, JobStatus::failed);
  EXPECT_THAT(served.jobs(pipelines[0].id)[0].reason, HasSubstr("it wants an image"));
}

TEST(Serve, OneDataDirectoryHasOneServer) {
  Served served;
  served.start();
  try {
    const daemon::Daemon second(served.options, job_launcher());
    ADD_FAILURE() << "there are two";
  } catch (const std::exception& error) {
    EXPECT_THAT(error.what(), HasSubstr("another `runner serve` has the data directory"));
  }
}

}  // namespace
}  // namespace runner::test
