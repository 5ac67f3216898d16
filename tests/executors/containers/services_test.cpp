// Services beside a job: names, waiting, logs.

#include <gmock/gmock.h>

#include <thread>

#include "runner/base/error.h"
#include "tests/executors/containers/container_fixture.h"

namespace runner::executors::test {
namespace {

using testing::HasSubstr;
using testing::Not;
using Words = std::vector<std::string>;

constexpr const char* kWeb = "docker.io/library/web:1";
constexpr const char* kChecked = "docker.io/library/checked:1";

class ContainerServices : public ContainerFixture {
 protected:
  void SetUp() override {
    ContainerFixture::SetUp();
    if (IsSkipped()) return;
    engine().load(kWeb, R"({"ExposedPorts": {"8080/tcp": {}}, "Entrypoint": ["sh", "-c"]})");
    engine().load(kChecked, R"({"Entrypoint": ["sh", "-c"], "Healthcheck":
      {"Test": ["CMD-SHELL", "test -e /tmp/up"], "Interval": 200000000, "Retries": 100, "Timeout": 5000000000}})");
  }

  static ContainerService service(const std::string& image, const std::string& script, Words aliases) {
    ContainerService service;
    service.image.name = image;
    service.image.pull = {PullPolicy::never};
    service.command = Words{script};
    service.aliases = std::move(aliases);
    return service;
  }
};
WITH_BOTH_ENGINES(ContainerServices);

const char* const kServe = "mkdir /www; echo page of $NAME > /www/page; httpd -f -p 8080 -h /www";

TEST_P(ContainerServices, JobReachesEachServiceByItsNamesOnceItAnswers) {
  SandboxSpec& spec = sandbox();
  spec.container->services = {service(kWeb, std::string("sleep 1; ") + kServe, {"one", "first"}),
                              service(kWeb, kServe, {"two"})};
  spec.container->services[0].env = {{"NAME", "one's"}};
  auto sandbox = prepare(spec);
  EXPECT_THAT(sink_.text(), HasSubstr("Waiting for services\n"));
  EXPECT_THAT(sink_.text(), HasSubstr("is ready after"));
  EXPECT_THAT(sink_.text(), Not(HasSubstr("WARNING")));
  RecordingSink out;
  const auto end =
      sandbox->start(shell("for host in one first two; do wget -q -O - http://$host:8080/page; done"), out)
          ->wait();
  EXPECT_EQ(describe(end), "exited 0") << out.text();
  EXPECT_EQ(out.text(), "page of one's\npage of one's\npage of\n");
  destroy();
  EXPECT_EQ(things(), 0U);
}

TEST_P(ContainerServices, ServiceThatEndsEarlyWarnsWithWhatItWroteAndTheJobGoesOn) {
  SandboxSpec& spec = sandbox();
  spec.container->services = {service(kWeb, "echo cannot find my data; exit 7", {"db"})};
  auto sandbox = prepare(spec);
  EXPECT_THAT(sink_.text(),
              HasSubstr("WARNING: service " + std::string(kWeb) +
                        " is not ready: it ended with code 7\nWhat it wrote last:\ncannot find my data\n"));
  EXPECT_EQ(describe(sandbox->start(shell("true"), sink_)->wait()), "exited 0");
}

TEST_P(ContainerServices, ServiceThatDoesNotAnswerInTimeWarns) {
  SandboxSpec& spec = sandbox();
  spec.container->services = {service(kWeb, "echo starting; sleep 1000", {"db"})};
  spec.container->service_wait = std::chrono::milliseconds(600);
  auto sandbox = prepare(spec);
  EXPECT_THAT(sink_.text(),
              HasSubstr("is not ready: it did not answer within 600 ms\nWhat it wrote last:\nstarting\n"));
  EXPECT_EQ(describe(sandbox->start(shell("true"), sink_)->wait()), "exited 0");
}

TEST_P(ContainerServices, NegativeWaitDoesNotWait) {
  SandboxSpec& spec = sandbox();
  spec.container->services = {service(kWeb, "sleep 1000", {"db"})};
  spec.container->service_wait = std::chrono::milliseconds(-1);
  prepare(spec);
  EXPECT_THAT(sink_.text(), Not(HasSubstr("Waiting")));
}

TEST_P(ContainerServices, HealthCheckOfTheImageDecides) {
  SandboxSpec& spec = sandbox();
  spec.container->services = {service(kChecked, "sleep 1; touch /tmp/up; sleep 1000", {"db"})};
  prepare(spec);
  EXPECT_THAT(sink_.text(), HasSubstr("Service " + std::string(kChecked) + " is ready after"));
}

TEST_P(ContainerServices, ServicesSeeTheWorkspaceOfTheJob) {
  SandboxSpec& spec = sandbox();
  spec.container->services = {service(kWeb, "httpd -f -p 8080 -h /builds/project", {"files"})};
  auto sandbox = prepare(spec);
  RecordingSink out;
  sandbox
      ->start(
          shell(
              "echo made > made; wget -q -O - http://files:8080/made; wget -q -O - http://files:8080/hello"),
          out)
      ->wait();
  EXPECT_EQ(out.text(), "made\nhello\n");
  RecordingSink second;
  EXPECT_EQ(describe(sandbox->start(shell("cat made", "after_script"), second)->wait()), "exited 0")
      << "the workspace stays mounted between the steps";
}

TEST_P(ContainerServices, LogsOfServicesFollowThoseOfTheJobWhenAsked) {
  SandboxSpec& spec = sandbox();
  const ContainerGate gate(spec, "gate");
  spec.container->services = {service(
      kWeb,
      "echo at the start; httpd -p 8080 -h /; cat " + gate.path() + "; echo; echo answered >&2; sleep 1000",
      {"db"})};
  spec.container->service_logs = true;
  // A service sees the binds of the job.
  auto sandbox = prepare(spec);
  const std::string name = "[service " + std::string(kWeb) + "] ";
  EXPECT_THAT(sink_.text(), HasSubstr(name + "at the start\n"));
  RecordingSink first, second;
  sandbox->start(shell("echo job; echo ping > " + gate.path() + "; sleep 1", "one"), first)->wait();
  EXPECT_EQ(first.text(), "job\n" + name + "ping\n" + name + "answered\n");
  sandbox->start(shell("echo again", "two"), second)->wait();
  EXPECT_EQ(second.text(), "again\n");
}

TEST_P(ContainerServices, StopEndsTheWait) {
  SandboxSpec& spec = sandbox();
  spec.container->services = {service(kWeb, "sleep 1000", {"db"})};
  std::stop_source stop;
  std::thread canceller([&] {
    while (sink_.text().find("Waiting for services") == std::string::npos) std::this_thread::yield();
    stop.request_stop();
  });
  EXPECT_EQ(error_of([&] { executor().prepare(spec, sink_, stop.get_token()); }), ErrorCode::cancelled);
  canceller.join();
}

/// What of Debian's PostgreSQL a container needs: "TARGET=FILE".
std::vector<std::string> postgres_files(const std::filesystem::path& programs) {
  namespace fs = std::filesystem;
  std::vector<std::string> files;
  const auto add = [&](const fs::path& file) {
    files.push_back(file.relative_path().native() + "=" + file.native());
  };
  for (const char* name : {"initdb", "postgres", "psql"}) add(programs / name);
  const fs::path version = programs.parent_path();
  for (const char* name : {"plpgsql.so", "dict_snowball.so"}) add(version / "lib" / name);
  const fs::path share = fs::path("/usr/share/postgresql") / version.filename();
  for (const char* part : {"", "tsearch_data", "timezonesets", "extension"}) {
    for (const auto& entry : fs::directory_iterator(share / part)) {
      const std::string name = entry.path().filename();
      const bool other = std::string(part) == "extension" && name.find("plpgsql") == std::string::npos;
      if (entry.is_regular_file() && !other) add(entry.path());
    }
  }
  add("/usr/share/zoneinfo/UTC");
  return files;
}

TEST_P(ContainerServices, RealPostgresAnswersTheJob) {
  std::filesystem::path programs;
  if (std::filesystem::exists("/usr/lib/postgresql"))
    for (const auto& version : std::filesystem::directory_iterator("/usr/lib/postgresql"))
      if (std::filesystem::exists(version.path() / "bin/initdb")) programs = version.path() / "bin";
  if (programs.empty()) GTEST_SKIP() << "needs postgresql";
  // As the image of that name does it: a cluster is made at the first start, by a user that is not root.
  const std::string path = programs.native();
  engine().load(
      "docker.io/library/postgres:15",
      R"({"User": "builder", "ExposedPorts": {"5432/tcp": {}}, "Env": ["PATH=/bin:)" + path +
          R"("], "Entrypoint": ["sh", "-c", "printf %s \"$POSTGRES_PASSWORD\" > /tmp/password && )"
          R"(initdb -D /tmp/data -U postgres --auth-host=scram-sha-256 --pwfile=/tmp/password && )"
          R"(echo 'host all all all scram-sha-256' >> /tmp/data/pg_hba.conf && )"
          R"(exec postgres -D /tmp/data -c listen_addresses='*' -c unix_socket_directories=/tmp"]})",
      postgres_files(programs));
  SandboxSpec& spec = sandbox();
  spec.container->image.name = "postgres:15";
  spec.container->image.entrypoint = std::vector<std::string>{""};
  ContainerService postgres;
  postgres.image.name = "postgres:15";
  postgres.image.pull = {PullPolicy::never};
  postgres.aliases = {"db"};
  postgres.env = {{"POSTGRES_PASSWORD", "s3cret"}};
  spec.container->services = {postgres};
  auto sandbox = prepare(spec);
  EXPECT_THAT(sink_.text(), HasSubstr("Service postgres:15 is ready"));
  StepSpec step = shell(
      "cd /tmp && psql -h db -U postgres -qtA -c 'CREATE TABLE t AS SELECT generate_series(1, 100) AS n' "
      "-c 'SELECT sum(n) FROM t' -c 'SELECT version()'");
  step.env = {{"PGPASSWORD", "s3cret"}};
  RecordingSink out;
  EXPECT_EQ(describe(sandbox->start(step, out)->wait()), "exited 0") << out.text() << sink_.text();
  EXPECT_THAT(out.text(), testing::StartsWith("5050\nPostgreSQL "));
}

TEST_P(ContainerServices, RealRedisAnswersTheJob) {
  if (!runner::test::has_program("redis-server")) GTEST_SKIP() << "needs redis-server";
  engine().load("docker.io/library/redis:7",
                R"({"ExposedPorts": {"6379/tcp": {}}, "Entrypoint": ["/usr/bin/redis-server"],
                    "Cmd": ["--protected-mode", "no", "--save", ""]})",
                {"usr/bin/redis-server=/usr/bin/redis-server"});
  SandboxSpec& spec = sandbox();
  ContainerService redis;
  redis.image.name = "redis:7";
  redis.image.pull = {PullPolicy::never};
  redis.aliases = {"redis"};
  spec.container->services = {redis};
  auto sandbox = prepare(spec);
  RecordingSink out;
  sandbox
      ->start(shell("printf 'SET key value\\r\\nGET key\\r\\nQUIT\\r\\n' | nc redis 6379 | tr -d '\\r'"), out)
      ->wait();
  EXPECT_EQ(out.text(), "+OK\n$5\nvalue\n+OK\n");
}

}  // namespace
}  // namespace runner::executors::test
