// `runner exec` of jobs with `deploy:`, on real hosts behind a real HAProxy.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runner/base/text.h"
#include "tests/cli/program.h"
#include "tests/support/deploy_hosts.h"
#include "tests/support/load_generator.h"
#include "tests/support/source_dir.h"

namespace runner::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Key;
using testing::Not;
using testing::UnorderedElementsAre;

class ExecDeploy : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = test::SshdHost::missing(); !why.empty()) GTEST_SKIP() << why;
    if (const std::string why = test::RealHaproxy::missing(); !why.empty()) GTEST_SKIP() << why;
    std::vector<test::HaproxyServer> servers;
    std::string hosts;
    for (std::size_t n = 0; n < 2; ++n) {
      hosts_.push_back(std::make_unique<test::SshdHost>(top_.path() / ("host" + std::to_string(n))));
      const test::SshdHost& host = *hosts_.back();
      if (n > 0)
        std::filesystem::copy_file(hosts_[0]->key("key.pub"), host.key("authorized"),
                                   std::filesystem::copy_options::overwrite_existing);
      const std::string unit = "127.0.0.1:" + host.port();
      const std::uint16_t blue = ports_[n * 2], green = ports_[n * 2 + 1];
      servers.push_back({unit + "-blue", blue, "weight 100 disabled"});
      servers.push_back({unit + "-green", green, "weight 100 disabled"});
      hosts += "        - {address: '" + host.address() + "', root: " + host.root().native() +
               ", ports: {blue: " + std::to_string(blue) + ", green: " + std::to_string(green) + "}}\n";
      known_ += host.known();
    }
    haproxy_.emplace(top_.path() / "haproxy", servers);
    const std::string app = (test::source_dir() / "tests/support/deploy_app.py").native();
    box_.write(
        ".gitlab-ci.yml",
        "stages: [build, deploy]\n"
        "pack:\n"
        "  stage: build\n"
        "  script: ['tar -C app -czf app.tar.gz .']\n"
        "  artifacts: {paths: [app.tar.gz]}\n"
        "ship:\n"
        "  stage: deploy\n"
        "  environment: production\n"
        "  deploy:\n"
        "    release: {artifact: app.tar.gz}\n"
        "    target: ssh\n"
        "    ssh:\n"
        "      hosts:\n" +
            hosts +
            "      key: secret:KEY\n"
            "      known_hosts: secret:HOSTS\n"
            "      start: 'python3 " +
            app +
            " \"$RUNNER_RELEASE_DIR\" $RUNNER_PORT > \"$RUNNER_ROOT/shared/log\" 2>&1 & "
            "echo $! > \"$RUNNER_ROOT/shared/$RUNNER_SLOT.pid\"'\n"
            "      stop: 'test $RUNNER_FORCE = 1 && s=KILL || s=TERM; "
            "kill -$s $(cat \"$RUNNER_ROOT/shared/$RUNNER_SLOT.pid\")'\n"
            "      status: 'p=$(cat \"$RUNNER_ROOT/shared/$RUNNER_SLOT.pid\") && "
            "grep -q \"State:.[RSD]\" /proc/$p/status'\n"
            "    strategy: blue_green\n"
            "    balancer: {type: haproxy, socket: " +
            haproxy_->socket() +
            ", backend: shop}\n"
            "    health: {http: {path: /ready, status: 200}, interval: 1s, successes: 1, deadline: 15s}\n"
            "    smoke: {before_switch: ['test -n \"$RUNNER_CANDIDATE_URL\" && echo smoke of $LEVEL']}\n"
            "  variables: {LEVEL: staging}\n");
  }
  void TearDown() override {
    // What was started on the hosts is of this directory.
    box_.shell("for p in /proc/[0-9]*; do case $(readlink $p/cwd 2>/dev/null) in " +
               shell_quote(top_.path().native()) + "/*) kill -9 ${p#/proc/} 2>/dev/null;; esac; done; :");
  }

  Ended deploy(const std::string& version, const std::string& broken = "") {
    std::filesystem::remove_all(box_.project() / "app");
    test::make_app(box_.project() / "app", version, broken);
    return box_.run(
        {"exec", "--secret", "KEY=" + read_file(hosts_[0]->key()).value_or(""), "--var", "HOSTS=" + known_});
  }

  TempDir top_;
  Sandboxed box_{"", true};
  test::ReservedPorts ports_{4};
  std::vector<std::unique_ptr<test::SshdHost>> hosts_;
  std::string known_;
  std::optional<test::RealHaproxy> haproxy_;
};

TEST_F(ExecDeploy, LosesNoRequestAndRollsBackWhatIsSick) {
  const Ended first = deploy("1");
  ASSERT_EQ(first.code, 0) << first.out << first.err;
  EXPECT_THAT(first.out, AllOf(HasSubstr("Deployment 1 to 'production'"), HasSubstr("smoke of staging")));
  EXPECT_THAT(first.out, Not(HasSubstr("PRIVATE KEY")));

  test::LoadGenerator load({haproxy_->port()});
  load.wait_for_ok(200);
  const Ended second = deploy("2");
  EXPECT_EQ(second.code, 0) << second.out << second.err;
  load.wait_for_ok(200);
  const test::Counts counts = load.stop();
  std::printf("blue_green by runner exec: %s\n", counts.text().c_str());
  EXPECT_EQ(counts.failed, 0U) << counts.text();
  EXPECT_THAT(counts.by_version, UnorderedElementsAre(Key("1"), Key("2")));

  test::LoadGenerator again({haproxy_->port()});
  again.wait_for_ok(200);
  const Ended sick = deploy("3", "never_ready");
  EXPECT_EQ(sick.code, 1) << sick.out;
  EXPECT_THAT(sick.out, HasSubstr("was rolled back"));
  again.wait_for_ok(200);
  const test::Counts kept = again.stop();
  EXPECT_EQ(kept.failed, 0U) << kept.text();
  EXPECT_THAT(kept.by_version, UnorderedElementsAre(Key("2")));
}

TEST_F(ExecDeploy, SaysWhichVariableIsMissing) {
  test::make_app(box_.project() / "app", "1");
  const Ended ended = box_.run({"exec", "--var", "HOSTS=" + known_});
  EXPECT_EQ(ended.code, 1);
  EXPECT_THAT(ended.out, HasSubstr("deploy:ssh:key: the job has no variable 'KEY'"));
}

}  // namespace
}  // namespace runner::cli
