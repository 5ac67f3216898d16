// Pipelines of more priority have their jobs started first, also by the next server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "runner/base/files.h"
#include "tests/daemon/pushed_repository.h"

namespace runner::test {
namespace {

using nlohmann::json;

class PriorityTest : public testing::TestWithParam<bool> {
 public:
  PriorityTest() {
    server.options = {"--jobs", "1"};
    repository.write(".gitlab-ci.yml", "job: {script: ['while [ ! -e " + gate.native() +
                                           " ]; do sleep 0.02; done; echo $NAME >> " + ran.native() +
                                           "']}\n");
    repository.push("here");
    server.start();
    // Nothing is run but what is asked for.
    server.api(
        "POST", "/projects",
        {{"name", "shop"}, {"url", repository.path()}, {"branches", {"none"}}, {"poll_interval_seconds", 0}});
  }
  json run(const std::string& name, const json& priority = nullptr) {
    json body{{"ref", "main"}, {"variables", {{"NAME", name}}}};
    if (!priority.is_null()) body["priority"] = priority;
    return server.api("POST", "/projects/shop/pipelines", body);
  }

  PushedRepository repository;
  ServerProgram server{repository.top() / "data"};
  const std::filesystem::path gate = repository.top() / "gate", ran = repository.top() / "ran";
};

INSTANTIATE_TEST_SUITE_P(WithAndWithoutAnotherServer, PriorityTest, testing::Bool());

TEST_P(PriorityTest, OfMoreGoFirstThoughTheyCameLater) {
  run("running");
  server.wait_until("a job that runs", [&] { return server.metric("runner_jobs_running") == 1; });
  run("plain");
  EXPECT_EQ(run("low", -5).at("priority"), -5);
  EXPECT_EQ(server.command("pipeline run shop --ref main --var NAME=high --priority 10").code, 0);
  server.api("PATCH", "/projects/shop", {{"priority", 7}});
  EXPECT_EQ(run("as the project").at("priority"), 7);
  server.wait_until("jobs that wait", [&] { return server.metric("runner_jobs_pending") == 4; });
  if (GetParam()) {
    server.kill();
    server.start();
    server.wait_until("jobs that wait again", [&] { return server.metric("runner_jobs_pending") == 4; });
  }
  write_file_atomic(gate, "");
  server.wait_for(5);
  EXPECT_EQ(read_file(ran).value_or(""), "running\nhigh\nas the project\nplain\nlow\n");
  EXPECT_EQ(server.get("/projects/shop").at("priority"), 7);
  EXPECT_THAT(server.command("pipeline show 4").output, testing::HasSubstr("priority:"));
}

}  // namespace
}  // namespace runner::test
