// Secrets of a protected environment: where they are while its deployment waits, while it is carried out on a
// host, and afterwards. Nowhere they need not be.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "runner/base/files.h"
#include "runner/base/text.h"
#include "tests/daemon/pushed_repository.h"
#include "tests/support/deploy_hosts.h"

namespace runner::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr const char* kToken = "tr0ub4dor-and-three";

class DeploySecrets : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = SshdHost::missing(); !why.empty()) GTEST_SKIP() << why;
    host_.emplace(repository_.top() / "host");
    // A line of it that no other key has.
    const std::string pem = read_file(host_->key()).value();
    private_line_ = std::string(split(pem, '\n')[2]);
    repository_.write(
        ".gitlab-ci.yml",
        "build: {stage: build, script: ['tar -cf app.tar app.txt'], artifacts: {paths: [app.tar]}}\n"
        "ship:\n"
        "  stage: deploy\n"
        "  environment: production\n"
        "  needs: [build]\n"
        "  deploy:\n"
        "    release: {artifact: app.tar}\n"
        "    target: ssh\n"
        "    ssh:\n"
        "      hosts: ['" +
            host_->address() +
            "']\n"
            "      key: secret:SHIP_KEY\n"
            "      known_hosts: secret:HOSTS\n"
            "      root: " +
            host_->root().native() +
            "\n"
            "      start: 'cat /proc/[0-9]*/cmdline > " +
            seen_.native() + "; touch " + begun_.native() + "; while [ -e " + hold_.native() +
            " ]; do sleep 0.05; done'\n"
            "      stop: 'true'\n"
            "      status: 'test -e " +
            begun_.native() +
            "'\n"
            "      ports: 8000\n"
            "    strategy: recreate\n"
            "    health: {exec: 'true', interval: 1s, successes: 1}\n");
    repository_.write("app.txt", "one\n");
    repository_.push("here");
    write_file_atomic(hold_, "", 0644, false);
    make_directories(temporary_);
    server_.environment = {"TMPDIR=" + temporary_.native()};
    server_.start();
    server_.api("POST", "/projects",
                {{"name", "shop"},
                 {"url", repository_.path()},
                 {"branches", {"none"}},
                 {"poll_interval_seconds", 0}});
    const auto set = [&](const char* key, const std::string& value, bool file) {
      server_.api("POST", "/projects/shop/variables",
                  {{"key", key},
                   {"value", value},
                   {"variable_type", file ? "file" : "env_var"},
                   {"masked", true},
                   {"environment_scope", "production"}});
    };
    set("SHIP_KEY", read_file(host_->key()).value(), true);
    set("HOSTS", host_->known(), true);
    set("TOKEN", kToken, false);
    server_.api(
        "PUT", "/projects/shop/environments/production",
        {{"protection",
          {{"approvals", {{"rules", {{{"name", "peers"}, {"count", 1}, {"who", {"role:developer"}}}}}}}}}});
    server_.api("POST", "/users", {{"name", "ben"}, {"role", "developer"}});
    ben_ = server_.api("POST", "/users/ben/tokens", {{"name", "test"}}).at("token");
    server_.api("POST", "/projects/shop/pipelines", json{{"ref", "main"}});
    server_.wait_until("it waits", [&] { return state() == "waiting_approval"; });
  }
  std::string state() {
    const auto answer = server_.ask("GET", "/api/v1/deployments/1");
    return answer.status == 200 ? json::parse(answer.body).at("state").get<std::string>() : std::string();
  }
  void approve() {
    auto client = http::testing::Client::tcp(server_.port());
    client.send(request_text("POST", "/api/v1/deployments/1/approve",
                             "Authorization: Bearer " + ben_ + "\r\n", "{}"));
    ASSERT_EQ(client.read_answer().status, 200);
  }
  void wait_until_it_runs() {
    server_.wait_until("it runs on the host", [&] { return fs::exists(begun_) || state() == "failed"; });
    const json pipeline = server_.pipelines().at(0);
    ASSERT_TRUE(fs::exists(begun_)) << server_.log_of(pipeline.at("jobs").back());
  }
  /// Files below that hold it, but for those of the host's own key and what the test has put there.
  std::vector<std::string> files_with(const std::string& text, const fs::path& top) {
    std::vector<std::string> found;
    for (const auto& entry :
         fs::recursive_directory_iterator(top, fs::directory_options::skip_permission_denied)) {
      std::error_code gone;
      if (!entry.is_regular_file(gone) || entry.path().parent_path() == host_->key().parent_path()) continue;
      try {
        if (read_file(entry.path()).value_or("").find(text) != std::string::npos)
          found.push_back(entry.path());
      } catch (const std::exception&) {  // it is gone by now, or is no file to be read
      }
    }
    return found;
  }
  /// Processes of all users whose file of this name, "cmdline" or "environ", holds it.
  std::vector<std::string> processes_with(const std::string& text, const char* file) {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator("/proc")) {
      if (!parse_integer(entry.path().filename().native())) continue;
      try {
        const std::string words = read_file(entry.path() / file).value_or("");
        if (words.find(text) != std::string::npos)
          found.push_back(
              replace_all(read_file(entry.path() / "cmdline").value_or(""), std::string(1, '\0'), " "));
      } catch (const std::exception&) {  // it ended just now, or is of somebody else
      }
    }
    return found;
  }
  /// All that the server says of the deployment, its jobs and itself.
  std::string all_answers() {
    std::string all = server_.said();
    for (const char* path :
         {"/api/v1/deployments/1", "/api/v1/pipelines/1", "/api/v1/projects/shop/variables",
          "/api/v1/projects/shop/environments/production", "/api/v1/audit?limit=1000",
          "/api/v1/projects/shop", "/healthz?verbose", "/metrics"})
      all += server_.ask("GET", path).body;
    const json pipeline = server_.pipelines().at(0);
    for (const json& job : pipeline.at("jobs")) all += server_.log_of(job);
    for (const char* words : {"deploy status 1", "deploy status 1 --json", "env history shop production",
                              "variable list shop", "audit export"})
      all += server_.command(words).output;
    return all;
  }
  void expect_nowhere(bool runs) {
    for (const std::string& secret : {std::string(kToken), private_line_}) {
      SCOPED_TRACE(secret);
      EXPECT_THAT(processes_with(secret, "cmdline"), IsEmpty());
      // While a job runs its order is there for a server that is started anew; it goes with the job.
      for (const std::string& file : files_with(secret, server_.data()))
        EXPECT_TRUE(runs && file.find("/jobs/") != std::string::npos) << file;
      EXPECT_THAT(files_with(secret, host_->root()), IsEmpty());
      EXPECT_EQ(all_answers().find(secret), std::string::npos);
      if (runs) continue;  // ssh reads its key from a file, until it has ended
      EXPECT_THAT(processes_with(secret, "environ"), IsEmpty());
      EXPECT_THAT(files_with(secret, temporary_), IsEmpty());
    }
  }

  PushedRepository repository_;
  ServerProgram server_{repository_.top() / "data"};
  const fs::path seen_ = repository_.top() / "seen", begun_ = repository_.top() / "begun",
                 hold_ = repository_.top() / "hold", temporary_ = repository_.top() / "tmp";
  std::optional<SshdHost> host_;
  std::string ben_, private_line_;
};

TEST_F(DeploySecrets, AreNowhereBeforeTheApprovalAndNoLongerThanTheyAreNeeded) {
  expect_nowhere(false);
  EXPECT_THAT(server_.command("audit list --action variable.read --environment production").output,
              testing::Not(HasSubstr("SHIP_KEY")))
      << "nobody was given them yet";
  approve();
  wait_until_it_runs();
  expect_nowhere(true);
  // What others on the host saw of it.
  const std::string seen = read_file(seen_).value_or("");
  EXPECT_THAT(seen, HasSubstr("sshd")) << "the control: it did see processes";
  EXPECT_EQ(seen.find(kToken), std::string::npos);
  EXPECT_EQ(seen.find(private_line_), std::string::npos);
  fs::remove(hold_);
  server_.wait_until("its end", [&] { return state() == "succeeded"; });
  server_.wait_for(1);
  expect_nowhere(false);
  EXPECT_THAT(server_.command("audit list --action variable.read").output, HasSubstr("job ship"));
}

TEST_F(DeploySecrets, OfOneThatIsKilledNoneIsLeft) {
  approve();
  wait_until_it_runs();
  server_.kill();
  fs::remove(hold_);
  server_.start();
  server_.wait_until("its end", [&] { return state() == "succeeded"; });
  server_.wait_for(1);
  expect_nowhere(false);
}

}  // namespace
}  // namespace runner::test
