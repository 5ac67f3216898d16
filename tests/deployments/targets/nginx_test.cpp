// nginx by its file and reloads, against a real one.
#include "deployments/balancers/nginx.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <iostream>

#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/text.h"
#include "tests/support/deploy_hosts.h"
#include "tests/support/load_generator.h"

namespace runner::deployments {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const Place kBlue{"a", Slot::blue}, kGreen{"a", Slot::green};

template <typename Call>
std::string error_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return std::string(to_string(error.code())) + ": " + error.what();
  }
  return "";
}

struct NginxTest : ::testing::Test {
  NginxOptions options() const {
    NginxOptions options;
    options.file = top.path() / "servers";
    options.addresses = {{kBlue, "127.0.0.1:" + std::to_string(ports[0])},
                         {kGreen, "127.0.0.1:" + std::to_string(ports[1])}};
    options.test = {"true"};
    options.reload = {"sh", "-c", "echo x >> " + (top.path() / "reloads").string()};
    return options;
  }
  std::size_t reloads() const { return read_file(top.path() / "reloads").value_or("").size() / 2; }
  std::string servers() const { return read_file(top.path() / "servers").value_or("none"); }

  TempDir top{"deploy-"};
  test::ReservedPorts ports{3};
};

TEST_F(NginxTest, WritesAllServersAndReadsThemBack) {
  NginxBalancer nginx(options());
  EXPECT_EQ(nginx.observe({kBlue}, {}).at(kBlue).admission, Admission::out);
  for (const ServerState& state : {ServerState{Admission::ready, 100}, ServerState{Admission::ready, 7},
                                   ServerState{Admission::drain, 100}, ServerState{Admission::out, 0}}) {
    nginx.set({{kBlue, state}}, {});
    EXPECT_EQ(nginx.observe({kBlue}, {}).at(kBlue), state);
  }
  EXPECT_EQ(reloads(), 4U);
  nginx.set({{kBlue, {Admission::out, 0}}}, {});
  EXPECT_EQ(reloads(), 4U);  // nothing changed
  nginx.set({{kGreen, {Admission::ready, 50}}}, {});
  EXPECT_THAT(servers(), AllOf(HasSubstr(std::to_string(ports[0]) + " down;  # out 0\n"),
                               HasSubstr(std::to_string(ports[1]) + " weight=50;  # ready 50\n")));
  // One who died before the reload.
  write_file_atomic(top.path() / "servers.pending", "", 0644, false);
  nginx.set({{kGreen, {Admission::ready, 50}}}, {});
  EXPECT_EQ(reloads(), 6U);
}

TEST_F(NginxTest, PutsTheFileBackWhenNginxRefusesIt) {
  NginxBalancer(options()).set({{kBlue, {Admission::ready, 100}}}, {});
  const std::string before = servers();
  NginxOptions bad = options();
  bad.test = {"sh", "-c", "echo bad servers >&2; exit 1"};
  EXPECT_THAT(error_of([&] {
                NginxBalancer(bad).set({{kBlue, {Admission::out, 0}}}, {});
              }),
              AllOf(StartsWith("conflict: "), HasSubstr("bad servers"), HasSubstr("as they were")));
  EXPECT_EQ(servers(), before);
  bad = options();
  bad.reload = {"false"};
  EXPECT_THAT(error_of([&] {
                NginxBalancer(bad).set({{kBlue, {Admission::out, 0}}}, {});
              }),
              HasSubstr("'false' fails"));
  EXPECT_EQ(servers(), before);
  bad.reload = {"sleep", "600"};
  bad.timeout = milliseconds(100);
  EXPECT_THAT(error_of([&] {
                NginxBalancer(bad).set({{kBlue, {Admission::out, 0}}}, {});
              }),
              HasSubstr("does not end"));
  EXPECT_EQ(servers(), before);
  fs::remove(top.path() / "servers");
  EXPECT_NE(error_of([&] { NginxBalancer(bad).set({{kBlue, {Admission::out, 0}}}, {}); }), "");
  EXPECT_EQ(servers(), "none");
}

TEST_F(NginxTest, RefusesWhatIsNotOurs) {
  NginxBalancer nginx(options());
  EXPECT_THAT(error_of([&] {
                nginx.observe({{"b", Slot::single}}, {});
              }),
              AllOf(StartsWith("not_found: "), HasSubstr("'single' of 'b'")));
  EXPECT_THAT(error_of([&] { nginx.counters({kBlue}, {}); }), StartsWith("conflict: "));
  write_file_atomic(top.path() / "servers", "server 10.0.0.1:80;\n", 0644, false);
  EXPECT_THAT(error_of([&] { nginx.set({{kBlue, {}}}, {}); }), StartsWith("corrupt: somebody else"));
  for (const char* bad : {"", "a b", "a;b", "a\nb", "a{", "$a"}) {
    NginxOptions wrong = options();
    wrong.addresses[kBlue] = bad;
    EXPECT_THAT(error_of([&] { NginxBalancer{wrong}; }), StartsWith("invalid_input: ")) << bad;
  }
  NginxOptions twice = options();
  twice.addresses[kBlue] = twice.addresses[kGreen];
  EXPECT_THAT(error_of([&] { NginxBalancer{twice}; }), HasSubstr("two servers"));
}

TEST_F(NginxTest, SwitchesARealOneUnderLoad) {
  if (!test::has_program("nginx")) GTEST_SKIP() << "there is no nginx; install nginx-light";
  for (const char* version : {"one", "two"}) test::make_app(top.path() / version, version);
  const test::RunningApp blue(top.path() / "one", ports[0]), green(top.path() / "two", ports[1]);
  const std::string prefix = (top.path() / "nginx").string();
  make_directories(prefix + "/logs");
  write_file_atomic(prefix + "/nginx.conf",
                    "worker_processes 1;\npid nginx.pid;\nerror_log error.log;\nevents {}\nhttp {\n"
                    "  access_log off;\n  upstream shop { include " +
                        (top.path() / "servers").string() +
                        "; }\n  server {\n    listen 127.0.0.1:" + std::to_string(ports[2]) +
                        " reuseport;\n    location / { proxy_pass http://shop; }\n  }\n}\n",
                    0644, false);
  NginxOptions real = options();
  // It does not run yet.
  NginxBalancer(real).set({{kBlue, {Admission::ready, 100}}}, {});
  test::ChildProgram program({"python3", test::deploy_program(), "nginx", prefix});
  program.read_line();
  const std::vector<std::string> nginx_with = {"nginx", "-p", prefix, "-c", prefix + "/nginx.conf"};
  real.test = real.reload = nginx_with;
  real.test.emplace_back("-t");
  real.reload.insert(real.reload.end(), {"-s", "reload"});
  real.pid_file = prefix + "/nginx.pid";
  NginxBalancer nginx(real);
  test::LoadGenerator load({.port = ports[2]});
  load.wait_for_ok(100);
  nginx.set({{kBlue, {Admission::drain, 100}}, {kGreen, {Admission::ready, 100}}}, {});
  EXPECT_TRUE(nginx.wait_drained({kBlue}, milliseconds(20'000), {}));
  load.wait_until([](const test::Counts& counts) { return counts.by_version.count("two") > 0; });
  nginx.set({{kBlue, {Admission::ready, 50}}, {kGreen, {Admission::ready, 50}}}, {});
  load.wait_for_ok(300);
  const auto counts = load.stop();
  // What a reload costs those who do not ask again is known (nginx.h); it must stay that little.
  EXPECT_LE(counts.failed, 2U * 8U) << counts.text();
  EXPECT_EQ(counts.failed, counts.cut) << counts.text();
  EXPECT_GT(counts.by_version.at("one"), 100U);
  EXPECT_GT(counts.by_version.at("two"), 100U);
  std::cout << "two reloads: " << counts.text() << '\n';
  // Its own test refuses what it cannot read.
  const std::string before = servers();
  NginxOptions strange = real;
  strange.addresses[kGreen] = "unix:";
  EXPECT_THAT(error_of([&] {
                NginxBalancer(strange).set({{kGreen, {Admission::ready, 100}}}, {});
              }),
              AllOf(StartsWith("conflict: "), HasSubstr("as they were")));
  EXPECT_EQ(servers(), before);
}

}  // namespace
}  // namespace runner::deployments
