// A pipeline whose last job deploys to a protected environment, on the whole program.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "runner/base/files.h"
#include "tests/daemon/pushed_repository.h"

namespace runner::test {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class ProtectedEnvironment : public testing::Test {
 protected:
  ProtectedEnvironment() {
    repository_.write(".gitlab-ci.yml",
                      "stages: [build, deploy]\n"
                      "build: {stage: build, script: ['true']}\n"
                      "deploy: {stage: deploy, environment: production, script: ['echo ran >> " +
                          ran_.native() + "']}\n");
    repository_.push("here");
    server_.start();
    server_.api("POST", "/projects",
                {{"name", "shop"},
                 {"url", repository_.path()},
                 {"branches", {"none"}},
                 {"poll_interval_seconds", 0}});
    server_.api(
        "PUT", "/projects/shop/environments/production",
        {{"protection",
          {{"approvals", {{"rules", {{{"name", "peers"}, {"count", 1}, {"who", {"role:developer"}}}}}}}}}});
    server_.api("POST", "/users", {{"name", "ben"}, {"role", "developer"}});
    token_ = server_.api("POST", "/users/ben/tokens", {{"name", "test"}}).at("token");
  }

  void run() { server_.api("POST", "/projects/shop/pipelines", json{{"ref", "main"}}); }
  json deployment(int id) { return server_.get("/deployments/" + std::to_string(id)); }
  std::string job_status(std::size_t pipeline) {
    const json found = server_.pipelines().at(pipeline);
    for (const json& job : found.at("jobs"))
      if (job.at("name") == "deploy") return job.at("status");
    return {};
  }
  void wait_for_state(int id, const std::string& state) {
    server_.wait_until("deployment " + std::to_string(id) + " " + state, [&] {
      const auto answer = server_.ask("GET", "/api/v1/deployments/" + std::to_string(id));
      return answer.status == 200 && json::parse(answer.body).at("state") == state;
    });
  }
  http::testing::Answer as_ben(const std::string& path, const json& body = json::object()) {
    auto client = http::testing::Client::tcp(server_.port());
    client.send(
        request_text("POST", "/api/v1" + path, "Authorization: Bearer " + token_ + "\r\n", body.dump()));
    return client.read_answer();
  }
  std::string times_run() { return read_file(ran_).value_or(""); }

  PushedRepository repository_;
  ServerProgram server_{repository_.top() / "data"};
  const std::filesystem::path ran_ = repository_.top() / "ran";
  std::string token_;
};

TEST_F(ProtectedEnvironment, AJobWaitsForItsApprovalAlsoOverAKill) {
  run();
  wait_for_state(1, "waiting_approval");
  EXPECT_EQ(job_status(0), "waiting_for_resource");
  server_.kill();
  server_.start();
  EXPECT_EQ(deployment(1).at("state"), "waiting_approval");
  EXPECT_EQ(times_run(), "");
  EXPECT_EQ(server_.ask("POST", "/api/v1/deployments/1/approve", json::object()).status, 403)
      << "the administrator of the machine is no user, whose approval would count";
  EXPECT_EQ(as_ben("/deployments/1/approve", {{"comment", "go"}}).status, 200);
  server_.wait_for(1);
  wait_for_state(1, "succeeded");
  EXPECT_EQ(times_run(), "ran\n");
  EXPECT_EQ(server_.get("/projects/shop/environments/production").at("current").at("id"), 1);
  EXPECT_EQ(as_ben("/deployments/1/approve").status, 409) << "it is over";
  EXPECT_THAT(server_.command("env history shop production").output, HasSubstr("succeeded"));
}

TEST_F(ProtectedEnvironment, ARejectionFailsTheJobWithItsReasonAndARetryAsksAnew) {
  run();
  wait_for_state(1, "waiting_approval");
  EXPECT_EQ(as_ben("/deployments/1/reject", {{"comment", "not on a Friday"}}).status, 200);
  const json pipeline = server_.wait_for(1).front();
  EXPECT_EQ(pipeline.at("status"), "failed");
  EXPECT_THAT(pipeline.dump(), HasSubstr("rejected by ben: not on a Friday"));
  server_.api("POST", "/pipelines/" + std::to_string(pipeline.at("id").get<int>()) + "/retry");
  wait_for_state(2, "waiting_approval");
  EXPECT_EQ(times_run(), "");
  EXPECT_EQ(as_ben("/deployments/2/approve").status, 200);
  wait_for_state(2, "succeeded");
  EXPECT_EQ(times_run(), "ran\n");
}

TEST_F(ProtectedEnvironment, ACanceledPipelineLeavesNothingThatWaits) {
  run();
  wait_for_state(1, "waiting_approval");
  server_.api("POST", "/pipelines/1/cancel");
  wait_for_state(1, "canceled");
  EXPECT_EQ(as_ben("/deployments/1/approve").status, 409);
  EXPECT_EQ(server_.wait_for(1).front().at("status"), "canceled");
  EXPECT_EQ(times_run(), "");
}

}  // namespace
}  // namespace runner::test
