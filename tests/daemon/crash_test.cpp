// A daemon is killed at every boundary between what it stores and what it does; the next one goes on, and
// what comes out is what comes out of one that nobody killed.
#include <gmock/gmock.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>

#include "tests/daemon/small_daemon.h"
#include "tests/support/sanitized.h"

namespace runner::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;

constexpr const char* kPipeline = R"yml(
stages: [build, test, deploy]
default:
  before_script: ['echo x >> "$RAN/$CI_JOB_NAME"']
build:
  stage: build
  script: [mkdir out kept, echo made > out/file, echo VERSION=7 > vars, seq 1 3000]
  artifacts: {paths: [out], reports: {dotenv: vars}}
  cache: {key: k, paths: [kept]}
flaky:
  stage: build
  retry: 1
  script: ['test "$(wc -l < "$RAN/flaky")" = 2']
unit:
  stage: test
  script: [cat out/file, echo "version $VERSION"]
  after_script: [echo after]
allowed:
  stage: test
  script: [exit 3]
  allow_failure: true
later:
  stage: test
  when: delayed
  start_in: 1 second
  resource_group: production
  script: [cat out/file]
deploy:
  stage: deploy
  resource_group: production
  script: [echo deployed | tee deployed]
  artifacts: {paths: [deployed]}
)yml";

/// What must be the same whatever was killed.
struct Outcome {
  std::string summary;
  std::map<std::string, int> runs;
  std::vector<std::string> logs;
};

Outcome outcome_of(const SmallDaemon& daemon) {
  auto logs = daemon.logs();
  std::sort(logs.begin(), logs.end());
  return {daemon.summary(), daemon.runs(), std::move(logs)};
}

const Outcome& undisturbed() {
  static const Outcome outcome = [] {
    const SmallDaemon daemon(kPipeline);
    EXPECT_EQ(daemon.run(), 0);
    EXPECT_THAT(daemon.leftovers(), IsEmpty());
    return outcome_of(daemon);
  }();
  return outcome;
}

TEST(DaemonCrash, TheUndisturbedRunIsAsItShouldBe) {
  EXPECT_THAT(undisturbed().runs, ElementsAre(Pair("allowed", 1), Pair("build", 1), Pair("deploy", 1),
                                              Pair("flaky", 2), Pair("later", 1), Pair("unit", 1)));
  EXPECT_THAT(undisturbed().summary, HasSubstr("pipeline success\nbuild success #1 0 archive reports"));
  EXPECT_THAT(undisturbed().logs, testing::SizeIs(7));
}

constexpr int kMostTimes = kSanitized ? 4 : 20;

struct Boundary {
  const char* failpoint;
  int times;  // so many of its occurrences are tried
};

class DaemonCrash : public testing::TestWithParam<Boundary> {};

TEST_P(DaemonCrash, LosesNothingAndDoesNothingTwice) {
  const Outcome& expected = undisturbed();
  int kills = 0;
  for (int n = 1; n <= std::min(GetParam().times, kMostTimes); ++n) {
    const std::string failpoint = std::string(GetParam().failpoint) + ":" + std::to_string(n);
    const SmallDaemon daemon(kPipeline);
    const int killed = daemon.run(failpoint);
    if (killed == 0) break;  // it is not reached so often
    ASSERT_EQ(killed, 128 + SIGKILL) << failpoint;
    ++kills;
    ASSERT_EQ(daemon.run(), 0) << failpoint;
    const Outcome outcome = outcome_of(daemon);
    EXPECT_EQ(outcome.summary, expected.summary) << failpoint;
    EXPECT_EQ(outcome.runs, expected.runs) << failpoint;
    EXPECT_EQ(outcome.logs, expected.logs) << failpoint;
    EXPECT_THAT(daemon.leftovers(), IsEmpty()) << failpoint;
  }
  EXPECT_GT(kills, 0);
  RecordProperty("kills", kills);
}

INSTANTIATE_TEST_SUITE_P(At, DaemonCrash,
                         testing::Values(Boundary{"engine.created", 1}, Boundary{"engine.deciding", 20},
                                         Boundary{"engine.committed", 20}, Boundary{"engine.acted", 20},
                                         Boundary{"jobs.ordered", 7}, Boundary{"jobs.spawned", 7},
                                         Boundary{"jobs.settling", 7}),
                         [](const auto& one) {
                           std::string name = one.param.failpoint;
                           std::replace(name.begin(), name.end(), '.', '_');
                           return name;
                         });

}  // namespace
}  // namespace runner::test
