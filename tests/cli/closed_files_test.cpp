// What jobs leave without the permission to read it, for a user who may not read everything.
#include <gmock/gmock.h>
#include <unistd.h>

#include "runner/base/files.h"
#include "tests/cli/program.h"

namespace runner::cli {
namespace {

using testing::HasSubstr;
using testing::Not;

/// Runs the program as an ordinary user is: root without its right to read everything, or who we are.
Ended run_weak(const Sandboxed& box, const std::string& words, const std::string& environment = {}) {
  const std::string weak = ::geteuid() == 0 ? "setpriv --bounding-set -dac_override,-dac_read_search " : "";
  return box.run_bash(environment + weak + "runner " + words);
}

constexpr const char* kModes[] = {"", "RUNNER_WORKSPACE=copy "};

TEST(ClosedFiles, OfACacheComeBackAsTheyWere) {
  for (const char* mode : kModes) {
    const Sandboxed box(
        "job:\n"
        "  script:\n"
        "    - mkdir -p c/d; chmod 700 c/d; chmod 600 c/secret || true\n"
        "    - echo x >> c/d/f; echo y >> c/secret\n"
        "    - 'echo lines $(wc -l < c/d/f) $(wc -l < c/secret)'\n"
        "    - chmod 000 c/d c/secret\n"
        "  cache: {key: k, paths: [c]}\n");
    for (int run = 1; run <= 3; ++run) {
      const Ended ended = run_weak(box, "exec", mode);
      EXPECT_EQ(ended.code, 0) << mode << ended.out << ended.err;
      const std::string lines = std::to_string(run);
      EXPECT_THAT(ended.out, HasSubstr("lines " + lines + " " + lines + "\n")) << mode;
      EXPECT_THAT(ended.out + ended.err, Not(HasSubstr("cannot be saved"))) << mode;
    }
  }
}

TEST(ClosedFiles, OfACacheStayWhenItsLayersAreMadeFewer) {
  const Sandboxed box(
      "job:\n"
      "  script: ['mkdir -p c/d; chmod 700 c/d; echo x >> c/d/f; echo lines $(wc -l < c/d/f); chmod 0 c/d']\n"
      "  cache: {key: k, paths: [c]}\n");
  for (int run = 1; run <= 12; ++run) {
    const Ended ended = run_weak(box, "exec");
    ASSERT_EQ(ended.code, 0) << run << ended.out << ended.err;
    EXPECT_THAT(ended.out, HasSubstr("lines " + std::to_string(run) + "\n"));
    EXPECT_THAT(ended.err, Not(HasSubstr("tidying")));
  }
}

TEST(ClosedFiles, OfArtifactsAreHandedOnAndArchived) {
  for (const char* mode : kModes) {
    const Sandboxed box(
        "make:\n"
        "  stage: build\n"
        "  script: [mkdir -p o/d, echo of d > o/d/f, echo own > o/secret, chmod 000 o/d o/secret]\n"
        "  artifacts: {paths: [o]}\n"
        "take:\n"
        "  script: ['stat -c %a o/d o/secret', chmod 700 o/d, cat o/d/f, chmod 600 o/secret, cat "
        "o/secret]\n");
    const Ended ended = run_weak(box, "exec", mode);
    EXPECT_EQ(ended.code, 0) << mode << ended.out << ended.err;
    EXPECT_THAT(ended.out, HasSubstr("of d\n"));
    EXPECT_THAT(ended.out, HasSubstr("own\n"));
    EXPECT_THAT(ended.out, Not(HasSubstr("cannot be written"))) << mode;
    const Ended shown = run_weak(box, "artifact show make", mode);
    EXPECT_THAT(shown.out, HasSubstr("o/d/f")) << mode;
    EXPECT_THAT(shown.out, HasSubstr("---------- ")) << "modes are as they were: " << shown.out;
  }
}

TEST(ClosedFiles, AreNoReasonToFailAJobOrToSaveNoCache) {
  const Sandboxed box(
      "job:\n"
      "  script: [mkdir -p t/x c, echo 1 > t/a.txt, echo 2 > t/x/b.txt, chmod 000 t/x, echo kept > c/f]\n"
      "  artifacts: {paths: ['**/*.txt']}\n"
      "  cache: {key: k, paths: [c]}\n");
  const Ended ended = run_weak(box, "exec");
  EXPECT_EQ(ended.code, 0) << ended.out << ended.err;
  EXPECT_THAT(ended.out, HasSubstr("'t/x' may not be read: what is in it is not taken"));
  EXPECT_THAT(run_weak(box, "artifact show job").out, HasSubstr("t/a.txt"));
  EXPECT_THAT(run_weak(box, "cache list").out, HasSubstr("k-non_protected"));
}

}  // namespace
}  // namespace runner::cli
