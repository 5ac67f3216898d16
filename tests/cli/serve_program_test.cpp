// `runner serve` itself, and the command line that talks to it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/cli/program.h"

namespace runner::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;

constexpr const char* kPipeline =
    "build:\n"
    "  stage: build\n"
    "  script: [echo made by $CI_PIPELINE_SOURCE > made]\n"
    "  artifacts: {paths: [made]}\n"
    "check: {stage: test, script: [cat made]}\n";

/// Serves the box's data directory; ends with it.
std::unique_ptr<Running> serve(const Sandboxed& box, const std::string& options = "") {
  auto server = box.start_program(
      {"/bin/bash", "-c", "exec runner serve --listen 127.0.0.1:0 --executor shell " + options + " 2>&1"});
  EXPECT_TRUE(server->wait_for("serving on"));
  return server;
}

TEST(ServeProgram, FromAProjectToAnArchiveOverTheCommandLine) {
  const Sandboxed box(kPipeline);
  const auto server = serve(box);
  const Ended added = box.run({"project", "add", "shop", box.project().string(), "--branch", "main"});
  EXPECT_EQ(added.code, 0) << added.out << added.err;
  const Ended tested = box.run({"project", "test", "shop"});
  EXPECT_EQ(tested.code, 0) << tested.out << tested.err;
  const Ended ran = box.run({"pipeline", "run", "shop", "--wait"});
  EXPECT_EQ(ran.code, 0) << ran.out << ran.err;

  const json pipelines = json::parse(box.run({"pipeline", "list", "--json"}).out);
  ASSERT_FALSE(pipelines.empty());
  const Ended shown = box.run_bash("runner pipeline show " + pipelines.at(0).at("id").dump() + " --json");
  const json jobs = json::parse(shown.out).at("jobs");
  ASSERT_EQ(jobs.size(), 2U) << shown.out;
  const std::string build = jobs.at(0).at("id").dump(), check = jobs.at(1).at("id").dump();
  EXPECT_THAT(box.run({"job", "log", check}).out, HasSubstr("made by "));
  const Ended archive = box.run_bash("runner artifact download --job-id " + build + " -o - | bsdtar -xOf -");
  EXPECT_THAT(archive.out, HasSubstr("made by ")) << archive.err;

  server->signal_group(SIGTERM);
  const Ended end = server->wait();
  EXPECT_EQ(end.code, 0) << end.out << end.err;
  const Ended after = box.run({"pipeline", "list"});
  EXPECT_EQ(after.code, 3) << "nobody answers: " << after.out << after.err;
}

TEST(ServeProgram, WritesALogForMachinesThatOthersMayMoveAway) {
  const Sandboxed box(kPipeline);
  const fs::path log = box.data().parent_path() / "log" / "runner.log";
  const auto server = serve(box, "--log-format json --log-file " + log.string());
  EXPECT_EQ(box.run({"project", "add", "shop", box.project().string(), "--branch", "main"}).code, 0);
  EXPECT_EQ(box.run({"pipeline", "run", "shop", "--wait"}).code, 0);
  const fs::path moved = log.string() + ".1";
  fs::rename(log, moved);
  server->signal_group(SIGHUP);
  // Answered by the same process, which has read the signal by the time that it writes the new file.
  EXPECT_EQ(box.run_bash("until test -e " + log.string() +
                         "; do runner project set shop --poll 1m >/dev/null || exit; done")
                .code,
            0);
  server->signal_group(SIGTERM);
  const Ended end = server->wait();
  EXPECT_EQ(end.code, 0) << end.out << end.err;

  std::map<std::string, int> components;
  bool ended = false, access = false;
  for (const fs::path& file : {moved, log}) {
    std::istringstream lines(read_file(file).value());
    for (std::string line; std::getline(lines, line);) {
      const json entry = json::parse(line);
      for (const char* field : {"ts", "level", "component", "msg"})
        EXPECT_TRUE(entry.contains(field)) << line;
      ++components[entry.at("component")];
      if (entry.at("component") == "jobs" && entry.value("result", "") == "success" &&
          entry.at("job") == "check") {
        ended = true;
        EXPECT_EQ(entry.at("attempt"), 1);
        EXPECT_GT(entry.at("duration_seconds"), 0);
        EXPECT_TRUE(entry.at("pipeline_id").is_number());
      }
      if (entry.at("component") == "access" && entry.value("status", 0) == 201) {
        access = true;
        EXPECT_EQ(entry.at("remote_addr"), "local");
        EXPECT_TRUE(entry.contains("request_id"));
      }
    }
  }
  EXPECT_TRUE(ended);
  EXPECT_TRUE(access);
  EXPECT_GT(components["daemon"], 0);
  EXPECT_GT(components["watch"], 0);
  EXPECT_THAT(read_file(log).value(), HasSubstr("ending on SIGTERM"));
}

TEST(ServeProgram, RefusesWhatIsNoLog) {
  const Sandboxed box(kPipeline);
  for (const auto& [options, complaint] : std::vector<std::pair<std::vector<std::string>, std::string>>{
           {{"--log-format", "xml"}, "allowed are text and json"},
           {{"--log-max-size", "64M"}, "add '--log-file FILE'"},
           {{"--log-keep", "3"}, "add '--log-file FILE'"},
           {{"--keep-logs", "90"}, "write it like 90d, or 'forever'; the least is 1h"},
           {{"--log-file", "x", "--log-max-size", "1k"}, "the least is 1M"},
           {{"--log-file", "x", "--log-keep", "-1"}, "is no number of files"}}) {
    std::vector<std::string> words{"serve"};
    words.insert(words.end(), options.begin(), options.end());
    const Ended ended = box.run(words);
    EXPECT_EQ(ended.code, 2);
    EXPECT_THAT(ended.err, HasSubstr(complaint));
  }
  const Ended ended = box.run({"serve", "--log-file", "/proc/none/x.log"});
  EXPECT_EQ(ended.code, 3);
  EXPECT_THAT(ended.err, HasSubstr("/proc/none"));
}

}  // namespace
}  // namespace runner::cli
