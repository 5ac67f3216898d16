// The wall clock is set while a server runs: no time goes backwards, nothing waits for what has been, and
// what has a limit of time is ended by the time that passed.
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "runner/base/files.h"
#include "runner/base/text.h"
#include "tests/daemon/pushed_repository.h"
#include "tests/daemon/trouble.h"

namespace runner::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr std::int64_t kHours = 3600;

/// Times are texts that sort by time; null is skipped.
void expect_in_order(const json& value, std::initializer_list<const char*> names) {
  std::string before;
  for (const char* name : names) {
    if (value.at(name).is_null()) continue;
    const std::string time = value.at(name);
    EXPECT_LE(before, time) << name << " of " << value.dump(2);
    before = time;
  }
}

struct ClockTest : testing::TestWithParam<std::int64_t> {
  PushedRepository repository;
  ServerProgram server{repository.top() / "data"};
  OtherWorld world{repository.top(), "/nowhere"};
};

TEST_P(ClockTest, ChangesNothingButWhatIsShown) {
  const fs::path ran = repository.top() / "ran", gate = repository.top() / "gate";
  make_directories(ran);
  const auto script = [&](const std::string& name, const std::string& then) {
    return "  script: ['echo x >> " + ran.native() + "/" + name + "-$CI_COMMIT_SHA', '" + then + "']\n";
  };
  const std::string wait = "while [ ! -e " + gate.native() + " ]; do sleep 0.05; done";
  repository.write(".gitlab-ci.yml",
                   "workflow: {auto_cancel: {on_new_commit: none}}\nstages: [a, b]\n"
                   "gated:\n  stage: a\n  timeout: 2 hours\n" +
                       script("gated", wait) + "late:\n  stage: a\n  when: delayed\n  start_in: 4 seconds\n" +
                       script("late", "true") +
                       "limited:\n  stage: a\n  timeout: 5 seconds\n  allow_failure: true\n" +
                       script("limited", "sleep 1000") + "last:\n  stage: b\n" + script("last", "true"));
  server.options = {"--jobs", "4"};
  server.environment = world.environment();
  server.start();
  const std::string one = repository.push("here");
  server.api("POST", "/projects",
             {{"name", "shop"}, {"url", repository.path()}, {"poll_interval_seconds", 1}});
  server.wait_until("jobs that run", [&] {
    return fs::exists(ran / ("gated-" + one)) && fs::exists(ran / ("limited-" + one));
  });
  ASSERT_FALSE(fs::exists(ran / ("late-" + one)));
  world.set_clock(GetParam());
  const std::string two = repository.push("here");
  server.wait_until("both delayed jobs",
                    [&] { return fs::exists(ran / ("late-" + one)) && fs::exists(ran / ("late-" + two)); });
  server.wait_until("the end of the limited jobs",
                    [&] { return server.metric("runner_job_timeouts_total") == 2; });
  for (const json& pipeline : server.pipelines())
    EXPECT_EQ(pipeline.at("jobs").at(0).at("status"), "running");
  write_file_atomic(gate, "");
  const auto pipelines = server.wait_for(2);
  ASSERT_EQ(pipelines.size(), 2U);
  EXPECT_EQ(pipelines[0].at("sha"), one);
  EXPECT_EQ(pipelines[1].at("sha"), two);
  for (const json& pipeline : pipelines) {
    EXPECT_EQ(pipeline.at("status"), "success") << pipeline.dump(2);
    expect_in_order(pipeline, {"created_at", "started_at", "finished_at"});
    for (const json& job : pipeline.at("jobs")) {
      expect_in_order(job, {"created_at", "queued_at", "started_at", "finished_at"});
      const bool limited = job.at("name") == "limited";
      EXPECT_EQ(job.at("status"), limited ? "failed" : "success") << job.dump(2);
      EXPECT_EQ(job.at("failure") == "job_execution_timeout", limited) << job.dump(2);
    }
  }
  // The newest first, whatever their times say.
  const json listed = server.get("/projects/shop/pipelines").at("items");
  EXPECT_GT(listed[0].at("id"), listed[1].at("id"));
  EXPECT_GT(json::parse(server.ask("GET", "/healthz").body).at("uptime_seconds").get<double>(), 0);
  EXPECT_LT(json::parse(server.ask("GET", "/healthz").body).at("uptime_seconds").get<double>(), 600);
  for (const std::string& sha : {one, two}) {
    for (const char* name : {"gated-", "late-", "limited-", "last-"})
      EXPECT_EQ(read_file(ran / (name + sha)).value_or("never"), "x\n") << name;
  }
}

INSTANTIATE_TEST_SUITE_P(SetBy, ClockTest, testing::Values(-3 * kHours, 3 * kHours, -9'600 * kHours),
                         [](const auto& one) {
                           return one.param > 0              ? "HoursAhead"
                                  : one.param == -3 * kHours ? "HoursBack"
                                                             : "AYearBack";
                         });

/// A delay that another server began is not longer than it was, wherever the clock was then.
TEST(ClockBetweenServers, ADelayIsNeverLongerThanItWas) {
  PushedRepository repository;
  ServerProgram server(repository.top() / "data");
  OtherWorld world(repository.top(), "/nowhere");
  repository.write(".gitlab-ci.yml", "late: {when: delayed, start_in: 3 seconds, script: ['true']}\n");
  server.environment = world.environment();
  world.set_clock(3 * kHours);
  server.start();
  repository.push("here");
  server.api("POST", "/projects",
             {{"name", "shop"}, {"url", repository.path()}, {"poll_interval_seconds", 1}});
  server.wait_until("a job that waits", [&] {
    const auto found = server.pipelines();
    return !found.empty() && found[0].at("jobs").at(0).at("status") == "scheduled";
  });
  server.kill();
  world.set_clock(0);
  server.start();
  const json job = server.wait_for(1).at(0).at("jobs").at(0);
  EXPECT_EQ(job.at("status"), "success");
  expect_in_order(job, {"created_at", "queued_at", "started_at", "finished_at"});
}

}  // namespace
}  // namespace runner::test
