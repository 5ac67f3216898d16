// `runner serve` with a configuration file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cli/program.h"

namespace runner::cli {
namespace {

using ::testing::HasSubstr;

constexpr const char* kShop =
    "projects:\n"
    "  - name: shop\n"
    "    url: /nowhere/shop\n"
    "    poll_interval: never\n"
    "    schedules: [{name: nightly, cron: '@daily'}]\n";

struct ServeConfig : ::testing::Test {
  Sandboxed box{"", false};
};

TEST_F(ServeConfig, CheckSaysThatAllIsWell) {
  box.write("config.yaml", kShop);
  const Ended ended = box.run({"serve", "--config", "config.yaml", "--check-config"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("config.yaml: all is well: 1 project, 1 schedule\n"));
  EXPECT_EQ(ended.err, "");
}

TEST_F(ServeConfig, AWrongFileIsShownAtItsPlaceAndNothingIsServed) {
  box.write("config.yaml", "lisen: 80\njobs: 4\n");
  for (const bool check : {true, false}) {
    std::vector<std::string> words{"serve", "--config", "config.yaml"};
    if (check) words.emplace_back("--check-config");
    const Ended ended = box.run(words);
    EXPECT_EQ(ended.code, 2);
    EXPECT_EQ(ended.out, "");
    EXPECT_EQ(ended.err,
              "config.yaml:1:1: error: there is no key 'lisen' [config-key]\n"
              "    1 | lisen: 80\n"
              "      | ^~~~~\n"
              "  help: did you mean 'listen'?\n");
  }
}

TEST_F(ServeConfig, AFileThatIsNotThereIsNamed) {
  const Ended ended = box.run({"serve", "--config", "nowhere.yaml"});
  EXPECT_EQ(ended.code, 2);
  EXPECT_THAT(ended.err, HasSubstr("there is no configuration file 'nowhere.yaml'"));
}

/// A server on a free port; `then` runs once it has said that it serves, and may use it as $server. Its
/// socket answers a moment before it says so.
std::string with_server(const std::string& options, const std::string& then) {
  return "runner serve --config config.yaml " + options +
         " 2> log & server=$!\n"
         "trap 'kill $server; wait $server' EXIT\n"
         "until grep -q 'serving on' log; do kill -0 $server || exit 9; sleep 0.02; done\n" +
         then;
}

TEST_F(ServeConfig, ReloadsOnSighup) {
  box.write("config.yaml", "listen: 127.0.0.1:0\n");
  box.write("more.yaml", std::string("listen: 127.0.0.1:0\n") + kShop);
  box.write("broken.yaml", "listen: 127.0.0.1:0\nprojects: shop\n");
  const Ended ended =
      box.run_bash(with_server("",
                               "runner project list -q\n"
                               "cp more.yaml config.yaml; kill -HUP $server\n"
                               "until [ \"$(runner project list -q)\" = shop ]; do sleep 0.02; done\n"
                               "runner schedule list shop -q\n"
                               "cp broken.yaml config.yaml; kill -HUP $server\n"
                               "until grep -q 'stays as it was' log; do sleep 0.02; done\n"
                               "runner project list -q\n"
                               "runner project set shop --pause 2>&1\n"
                               "echo $?\n"
                               "grep -o \"config.yaml:2:11: 'projects' must be a list\" log\n"));
  EXPECT_THAT(ended.out, HasSubstr("1\nshop\n"));
  EXPECT_THAT(ended.out, HasSubstr("'paused' of project 'shop' is kept in"));
  EXPECT_THAT(ended.out, HasSubstr("config.yaml:2:11: 'projects' must be a list\n"));
}

TEST_F(ServeConfig, OptionsOfTheCommandLineWin) {
  box.write("config.yaml", "listen: 192.0.2.1:1\nlog_level: error\n");
  const Ended ended = box.run_bash(with_server("--listen 127.0.0.1:0 --log-level info", "cat log"));
  EXPECT_THAT(ended.out, HasSubstr("serving on 127.0.0.1:"));
  EXPECT_THAT(ended.out, HasSubstr("info daemon: listening"));
}

TEST_F(ServeConfig, AnOptionWinsAfterAReloadToo) {
  box.write("config.yaml", "listen: 127.0.0.1:0\nlog_level: error\n");
  box.write("more.yaml", "listen: 127.0.0.1:0\nlog_level: error\njobs: 3\nlog_format: json\n");
  box.write("other.yaml", "listen: 127.0.0.1:0\nlog_level: warn\njobs: 3\nurl: https://ci.example.com\n");
  const Ended ended =
      box.run_bash(with_server("--log-level info --jobs 2",
                               "cp more.yaml config.yaml; kill -HUP $server\n"
                               "until grep -q \"read '.*again\" log; do sleep 0.02; done\n"
                               "cp other.yaml config.yaml; kill -HUP $server\n"
                               "until grep -q \"of 'url'\" log; do sleep 0.02; done\n"
                               "until [ $(grep -c \"read '.*again\" log) = 2 ]; do sleep 0.02; done\n"
                               "grep -o 'warn config: .*' log\n"));
  EXPECT_EQ(
      ended.out,
      "warn config: what the file says of 'log_format' counts from the next start\n"
      "warn config: what the file says of 'jobs' does not count, as an option of the command line says it\n"
      "warn config: what the file says of 'url' counts from the next start\n"
      "warn config: what the file says of 'log_level' does not count, as an option of the command line "
      "says it\n")
      << ended.err;
}

TEST_F(ServeConfig, TheLevelOfTheLogFollowsTheFileAndItsDefault) {
  box.write("config.yaml", "listen: 127.0.0.1:0\nlog_level: error\n");
  box.write("more.yaml", "listen: 127.0.0.1:0\n");
  const Ended ended =
      box.run_bash(with_server("",
                               "cp more.yaml config.yaml; kill -HUP $server\n"
                               "until grep -q \"info config: read '.*again\" log; do sleep 0.02; done\n"
                               "grep -c 'info daemon: listening' log\n"));
  EXPECT_EQ(ended.out, "0\n") << "until then it was quiet";
}

TEST_F(ServeConfig, TheLogIsWhereAndAsTheFileSays) {
  box.write("config.yaml",
            "listen: 127.0.0.1:0\nlog_file: server.log\nlog_format: json\nlog_max_size: 2M\nlog_keep: 1\n");
  const Ended ended = box.run_bash(with_server("", "cat server.log"));
  EXPECT_THAT(ended.out, HasSubstr(R"("component":"daemon")"));
  EXPECT_THAT(ended.out, HasSubstr("listening on 127.0.0.1:"));
}

TEST_F(ServeConfig, AnOptionOfAFileNeedsOneHereOrThere) {
  box.write("config.yaml", "listen: 127.0.0.1:0\n");
  const Ended ended = box.run({"serve", "--config", "config.yaml", "--log-keep", "3"});
  EXPECT_EQ(ended.code, 2);
  EXPECT_THAT(ended.err, HasSubstr("add '--log-file FILE'"));
  box.write("config.yaml", "listen: 127.0.0.1:0\nlog_file: server.log\n");
  EXPECT_THAT(box.run_bash(with_server("--log-keep 3", "grep -c listening server.log")).out, "1\n");
}

TEST_F(ServeConfig, VariablesThatAReloadNamesAreKeptFromJobsToo) {
  box.write("config.yaml", "listen: 127.0.0.1:0\n");
  box.write(
      "more.yaml",
      "listen: 127.0.0.1:0\nprojects:\n  - {name: shop, url: /repo, token_env: SHOP_TOKEN, poll_interval: "
      "never}\n");
  const Ended ended = box.run_bash(
      "git init -q -b main repo && cd repo && git config user.email a@b && git config user.name a "
      "&& printf 'job: {script: [\"env\"]}\\n' > .gitlab-ci.yml && git add -A && git commit -qm x && "
      "cd .. && sed -i \"s|/repo|$PWD/repo|\" more.yaml && export SHOP_TOKEN=s3cret OTHER=here\n" +
      with_server("",
                  "cp more.yaml config.yaml; kill -HUP $server\n"
                  "until [ \"$(runner project list -q)\" = shop ]; do sleep 0.02; done\n"
                  "runner pipeline run shop --wait; runner job log 1"));
  EXPECT_THAT(ended.out, HasSubstr("\nOTHER=here"));
  EXPECT_THAT(ended.out, ::testing::Not(HasSubstr("s3cret")));
}

TEST_F(ServeConfig, VariablesWithSecretsAreKeptFromJobs) {
  box.write(
      "config.yaml",
      "listen: 127.0.0.1:0\nprojects:\n  - {name: shop, url: /repo, token_env: SHOP_TOKEN, poll_interval: "
      "never}\n");
  const Ended ended = box.run_bash(
      "git init -q -b main repo && cd repo && git config user.email a@b && git config user.name a "
      "&& printf 'job: {script: [\"env\"]}\\n' > .gitlab-ci.yml && git add -A && git commit -qm x && "
      "cd .. && sed -i \"s|/repo|$PWD/repo|\" config.yaml && export SHOP_TOKEN=s3cret\n" +
      with_server("", "runner pipeline run shop --wait; runner job log 1"));
  EXPECT_THAT(ended.out, HasSubstr("\nCI_PIPELINE_SOURCE="));
  EXPECT_THAT(ended.out, ::testing::Not(HasSubstr("s3cret")));
}

}  // namespace
}  // namespace runner::cli
