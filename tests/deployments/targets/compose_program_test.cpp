// How docker-compose is called. Who plays it here is a shell script that says what it was told.
#include "deployments/targets/compose_program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <thread>

#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/text.h"

namespace runner::deployments {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

struct ComposeProgramTest : testing::Test {
  void SetUp() override {
    make_directories(bin());
    for (const char* name : {"sh", "cat", "sleep", "mv"}) fs::create_symlink("/bin/busybox", bin() / name);
    path_before = std::getenv("PATH");
    ::setenv("PATH", bin().c_str(), 1);
  }
  void TearDown() override { ::setenv("PATH", path_before.c_str(), 1); }
  fs::path bin() const { return top.path() / "bin"; }
  void play(const std::string& name, const std::string& script) const {
    write_file_atomic(bin() / name, "#!" + (bin() / "sh").native() + "\n" + script, 0755, false);
  }
  ComposeCall call() const {
    return {"shop",
            top.path() / "a b.json",
            {"up", "-d", "$X; exit"},
            {{"LEVEL", "x"}, {"COMPOSE_FILE", "y"}},
            "/run/x.sock",
            top.path(),
            {}};
  }
  std::string error() const {
    try {
      run_compose(call(), {});
    } catch (const Error& error) {
      return std::string(to_string(error.code())) + ": " + error.what();
    }
    return "";
  }

  TempDir top{"compose-program-"};
  std::string path_before;
};

constexpr const char* kSays =
    "for w in \"$@\"; do echo \"<$w>\"; done; echo \"$DOCKER_HOST|$LEVEL|$COMPOSE_FILE\"\n";

TEST_F(ComposeProgramTest, ArgumentsAreWordsAndTheEngineIsNamed) {
  play("docker-compose", kSays);
  const std::string file = (top.path() / "a b.json").native();
  EXPECT_EQ(run_compose(call(), {}),
            "<-p>\n<shop>\n<-f>\n<" + file + ">\n<up>\n<-d>\n<$X; exit>\nunix:///run/x.sock|x|\n");
}

TEST_F(ComposeProgramTest, ThePluginIsTakenWhenThereIsNoOther) {
  EXPECT_THAT(error(), AllOf(HasSubstr("not_found: neither 'docker-compose' nor 'docker compose' is there"),
                             HasSubstr("install one of them")));
  play("docker", "test \"$1\" = compose || exit 1\n" + std::string(kSays));
  EXPECT_THAT(run_compose(call(), {}), testing::StartsWith("<compose>\n<-p>\n<shop>\n"));
}

TEST_F(ComposeProgramTest, ItsLastWordsAreTheError) {
  play("docker-compose", "for n in 1 2 3 4 5 6; do echo \"line $n\" >&2; done; exit 3\n");
  EXPECT_THAT(error(), AllOf(HasSubstr("'docker-compose up' ended with exit code 3: line 3; line 4"),
                             HasSubstr("line 6"), Not(HasSubstr("line 2"))));
}

TEST_F(ComposeProgramTest, ItEndsWithWhoeverCalledIt) {
  play("docker-compose", "echo $$ > " + (top.path() / "new").native() + "; mv " +
                             (top.path() / "new").native() + " " + (top.path() / "pid").native() +
                             "; sleep 1000\n");
  const pid_t caller = ::fork();
  if (caller == 0) {
    error();
    ::_exit(0);
  }
  std::optional<std::string> pid;
  while (!(pid = read_file(top.path() / "pid"))) std::this_thread::yield();
  ::kill(caller, SIGKILL);
  ::waitpid(caller, nullptr, 0);
  const auto compose = static_cast<pid_t>(parse_integer(trim(*pid)).value());
  const auto gone = [&] {
    const std::string state = read_file("/proc/" + std::to_string(compose) + "/stat").value_or("");
    return state.empty() || state.find(") Z ") != std::string::npos;
  };
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (!gone() && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  EXPECT_TRUE(gone());
}

}  // namespace
}  // namespace runner::deployments
