#include <gmock/gmock.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "tests/cli/program.h"

namespace runner::cli {
namespace {

using nlohmann::json;
using testing::HasSubstr;

// A data directory of four megabytes, in a mount namespace of the command's own.
TEST(ArtifactDisk, FullDiskIsToldAndWhatWasKeptStays) {
  Sandboxed box(R"(
good:
  script: [mkdir -p g, head -c 100000 /dev/urandom > g/f]
  artifacts: {paths: [g]}
large:
  script: [mkdir -p f, head -c 2500000 /dev/urandom > f/log]
  artifacts: {paths: [f]}
endless:
  script: [mkdir -p f, cat /dev/urandom > f/log]  # what can be compressed might fit after all
  artifacts: {paths: [f], when: always}
)");
  std::filesystem::create_directories(box.data());
  const std::string user = ::geteuid() == 0 ? "" : "r";
  const std::string inside =
      "unshare -" + user + "m bash -c 'mount -t tmpfs -o size=4608k tmpfs \"$RUNNER_DATA\" || exit 99; ";
  if (box.run_bash(inside + "true'").code != 0) GTEST_SKIP() << "no mounts of its own here";
  box.environment.push_back("RUNNER_DATA=" + box.data().string());
  const Ended ended = box.run_bash(inside +
                                   "runner exec -q good || exit 1; "
                                   "runner exec large; echo large $?; "
                                   "runner exec endless; echo endless $?; "
                                   "runner exec -q good || exit 2; "
                                   "runner artifact extract good -C x || exit 3; "
                                   "find \"$RUNNER_DATA/work\" -mindepth 1 -maxdepth 1 | wc -l; "
                                   "runner artifact list --json > list.json'");
  ASSERT_EQ(ended.code, 0) << ended.out << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("the archive cannot be written"));
  EXPECT_THAT(ended.out, HasSubstr("No space left on device"));
  EXPECT_THAT(ended.out, HasSubstr("endless 1"));
  EXPECT_THAT(ended.out, HasSubstr("\n0\n")) << "a run left its directory";
  const json list = json::parse(*read_file(box.project() / "list.json"));
  // What the job before left is removed beside what runs: of the endless one the little that fitted then may
  // be kept, when that makes room at last. The large one and its archive do not fit together, ever.
  std::map<std::string, int> kept;
  for (const json& artifact : list) {
    ++kept[artifact["job"]];
    EXPECT_EQ(artifact["exists"], true);
  }
  EXPECT_EQ(kept["good"], 2) << list;
  EXPECT_EQ(kept["large"], 0) << list;
  EXPECT_EQ(std::filesystem::file_size(box.project() / "x/g/f"), 100000U);
}

}  // namespace
}  // namespace runner::cli
