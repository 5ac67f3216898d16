// Steps and accidents that try to leave something behind, and what is special about overlays.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "executors/shell_executor.h"
#include "executors/shell_step.h"
#include "runner/base/error.h"
#include "runner/base/text.h"
#include "tests/executors/shell_harness.h"

namespace runner::executors::test {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using testing::HasSubstr;

class Hostile : public ExecutorContract {};

INSTANTIATE_TEST_SUITE_P(Shell, Hostile,
                         testing::Values(shell_harness(Mount::none), shell_harness(Mount::overlay),
                                         shell_harness(Mount::user_namespace)),
                         [](const auto& kind) { return kind.param.name; });

TEST_P(Hostile, KilledSupervisorIsLostAndNothingSurvivesIt) {
  const std::string mark = unique_mark();
  const Gate gate;
  auto sandbox = prepare();
  auto step = sandbox->start(shell("(setsid bash -c '(exec -a " + mark + " sleep 1000) & exec -a " + mark +
                                   " sleep 1000' &)\n"
                                   "until [ $(pgrep -fc '^" +
                                   mark +
                                   "') = 2 ]; do :; done\n"
                                   "echo before; echo x > " +
                                   gate.path() + "; exec -a " + mark + " sleep 1000"),
                             sink());
  gate.read();
  const auto supervisor = find_supervisor(state_dir() / "step.script");
  ASSERT_TRUE(supervisor);
  ASSERT_EQ(::syscall(SYS_pidfd_send_signal, supervisor->pidfd.get(), SIGKILL, nullptr, 0), 0);
  EXPECT_EQ(describe(step->wait()), "lost");
  EXPECT_EQ(processes_with(mark), 0U);
  EXPECT_THAT(sink().text(), testing::AnyOf("before\n", ""));
}

TEST_P(Hostile, StepThatKillsItsSupervisorIsLost) {
  const std::string mark = unique_mark();
  const Gate go;
  auto sandbox = prepare();
  auto step = sandbox->start(
      shell("(exec -a " + mark + " sleep 1000) & setsid bash -c 'exec -a " + mark + " sleep 1000' & cat " +
            go.path() + "; kill -KILL $PPID; exec -a " + mark + " sleep 1000"),
      sink());
  std::ofstream(go.path()) << "go\n";
  EXPECT_EQ(describe(step->wait()), "lost");
  EXPECT_EQ(processes_with(mark), 0U);
}

// Whether start() has been told by then is a matter of luck.
TEST_P(Hostile, StepThatKillsItsSupervisorAtOnceLeavesNothing) {
  const std::string mark = unique_mark();
  try {
    EXPECT_EQ(describe(run("(exec -a " + mark + " sleep 1000) & setsid bash -c 'exec -a " + mark +
                           " sleep 1000' & kill -KILL $PPID; sleep 1000")),
              "lost");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::unavailable);
  }
  EXPECT_EQ(processes_with(mark), 0U);
}

TEST_P(Hostile, DestroyFindsOrphansOfAKilledSupervisorAndNothingElse) {
  const std::string mark = unique_mark();
  const Gate gate, other_gate;
  auto sandbox = prepare();
  auto other =
      prepare("other")->start(shell("echo x > " + other_gate.path() + "; sleep 1000; exit 3"), sink());
  sandbox->start(shell("(setsid bash -c 'exec -a " + mark +
                       " sleep 1000' &)\n"
                       "until [ $(pgrep -fc '^" +
                       mark +
                       "') = 1 ]; do :; done\n"
                       "echo x > " +
                       gate.path() + "; sleep 1000"),
                 sink());
  gate.read();
  other_gate.read();
  {
    const auto supervisor = find_supervisor(state_dir() / "step.script");
    ASSERT_TRUE(supervisor);
    ::syscall(SYS_pidfd_send_signal, supervisor->pidfd.get(), SIGKILL, nullptr, 0);
  }
  destroy();
  EXPECT_EQ(processes_with(mark), 0U);
  EXPECT_TRUE(find_supervisor(state_dir("other") / "step.script")) << "another job was hit";
  other->stop(milliseconds(0));
  EXPECT_EQ(describe(other->wait()), "stopped");
}

TEST_P(Hostile, StepOutlivesAKilledRunner) {
  const Gate gate, go;
  specs_["job"] = harness_->sandbox("job");
  const SandboxSpec spec = specs_["job"];
  const pid_t runner = ::fork();
  if (runner == 0) {
    const Launcher launcher = Launcher::start();
    ShellExecutor own(launcher);
    RecordingSink lost;
    auto step =
        own.prepare(spec, lost, {})
            ->start(shell("echo one; echo x > " + gate.path() + "; cat " + go.path() + "; echo two; exit 6"),
                    lost);
    step->wait();
    ::_exit(0);
  }
  gate.read();
  ::kill(runner, SIGKILL);
  ::waitpid(runner, nullptr, 0);
  auto sandbox = executor().reopen(SandboxId{"job"}, spec.state_dir);
  ASSERT_NE(sandbox, nullptr);
  auto step = sandbox->attach(StepId{"script"}, 0, sink());
  ASSERT_NE(step, nullptr);
  std::ofstream(go.path()) << "go\n";
  EXPECT_EQ(describe(step->wait()), "exited 6");
  EXPECT_EQ(sink().text(), "one\ngo\ntwo\n");
}

/// Where a directory is seen and nothing can be written, as on a disk that found itself damaged.
class ReadOnlyView {
 public:
  explicit ReadOnlyView(const std::filesystem::path& of) {
    const std::filesystem::path at = dir_.path() / "seen";
    make_directories(at);
    if (::mount(of.c_str(), at.c_str(), nullptr, MS_BIND, nullptr) != 0) return;
    mounted_ = at;
    if (::mount(nullptr, at.c_str(), nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY, nullptr) != 0)
      throw_errno("remount");
  }
  ReadOnlyView(const ReadOnlyView&) = delete;
  ReadOnlyView& operator=(const ReadOnlyView&) = delete;
  ~ReadOnlyView() {
    if (!mounted_.empty()) ::umount2(mounted_.c_str(), MNT_DETACH);
  }
  /// Empty: this user cannot mount.
  const std::filesystem::path& path() const { return mounted_; }

 private:
  TempDir dir_;
  std::filesystem::path mounted_;
};

TEST_P(Hostile, AStepGoesOnWhenItsOutputCannotBeTakenOutOfTheDisk) {
  const Gate gate, go;
  auto step = prepare()->start(
      shell("echo one; echo x > " + gate.path() + "; cat " + go.path() + "; echo two; exit 6"), sink());
  gate.read();
  const ReadOnlyView view(state_dir());
  if (view.path().empty()) GTEST_SKIP() << "cannot mount";
  RecordingSink other;
  auto again = executor().reopen(SandboxId{"job"}, view.path())->attach(StepId{"script"}, 0, other);
  ASSERT_NE(again, nullptr);
  std::ofstream(go.path()) << "go\n";
  EXPECT_EQ(describe(again->wait()), "exited 6");
  EXPECT_EQ(other.text(), "one\ngo\ntwo\n");
  EXPECT_EQ(describe(step->wait()), "exited 6");
}

TEST_P(Hostile, ForkBombIsEnded) {
  const std::string mark = unique_mark();
  const Gate gate;
  auto sandbox = prepare();
  // Every process forks anew and ends, so that a list of processes is old at once.
  auto step = sandbox->start(shell("trap '' TERM; f() { (exec -a " + mark +
                                   " sleep 1000) & (f &) ; }\n"
                                   "ulimit -u 2000; (f &); echo x > " +
                                   gate.path() + "; while :; do sleep 1; done"),
                             sink());
  gate.read();
  step->stop(milliseconds(20));
  EXPECT_EQ(describe(step->wait()), "stopped");
  EXPECT_EQ(processes_with(mark), 0U);
}

TEST_P(Hostile, WorkspaceRemovedByItsOwnStep) {
  auto sandbox = prepare();
  EXPECT_EQ(
      describe(sandbox->start(shell("rm -rf \"$PWD\"/* \"$PWD\"; ls -A \"$PWD\" 2>/dev/null | wc -l"), sink())
                   ->wait()),
      "exited 0");
  EXPECT_THAT(sink().text(), HasSubstr("0\n"));
}

TEST_P(Hostile, GigabyteOfOutputStaysOutOfMemoryAndOffTheDisk) {
  rusage before{};
  ::getrusage(RUSAGE_SELF, &before);
  RecordingSink counting(false);
  auto sandbox = prepare();
  auto step = sandbox->start(shell("head -c 1000000000 /dev/zero"), counting);
  EXPECT_EQ(describe(step->wait()), "exited 0");
  EXPECT_EQ(counting.size(), 1000000000U);
  rusage after{};
  ::getrusage(RUSAGE_SELF, &after);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 8 * 1024) << "KiB";
  struct stat spool {};
  ASSERT_EQ(::stat((state_dir() / "step.script" / "spool").c_str(), &spool), 0);
  EXPECT_LT(spool.st_blocks * 512, 48 << 20) << "what was read must not stay on disk";
}

TEST_P(Hostile, FileSizeLimitHoldsForTheStepButNotForItsOutput) {
  specs_["job"] = harness_->sandbox("job");
  specs_["job"].file_size_bytes = 100'000;
  RecordingSink counting(false);
  auto sandbox = executor().prepare(specs_["job"], sink(), {});
  auto step = sandbox->start(
      shell("head -c 1000000 /dev/zero > big; stat -c %s big >&2; head -c 1000000 /dev/zero"), counting);
  EXPECT_EQ(describe(step->wait()), "exited 0");
  EXPECT_GE(counting.size(), 1000000U);
}

TEST_P(Hostile, OutputClosedEarlyDoesNotEndTheStep) {
  EXPECT_EQ(describe(run("echo a; exec >&- 2>&-; sleep 0.05; exit 9")), "exited 9");
  EXPECT_EQ(sink().text(), "a\n");
}

TEST_P(Hostile, LongAndStrangePathsWork) {
  specs_["job"] = harness_->sandbox("job");
  SandboxSpec& spec = specs_["job"];
  std::string deep = spec.state_dir.native();
  for (int i = 0; i < 12; ++i) deep += "/a:b,c\\d e\n" + std::string(100, 'x');
  make_directories(deep, 0700);
  spec.state_dir = deep;
  auto sandbox = executor().prepare(spec, sink(), {});
  EXPECT_EQ(describe(sandbox->start(shell("echo hello"), sink())->wait()), "exited 0");
  EXPECT_EQ(describe(sandbox->attach(StepId{"script"}, 0, sink())->wait()), "exited 0");
  EXPECT_EQ(sink().text(), "hello\nhello\n");
}

TEST_P(Hostile, LargeEnvironmentArrives) {
  auto sandbox = prepare();
  StepSpec spec = shell("echo ${#BIG0} ${#BIG9}");
  for (int i = 0; i < 10; ++i) spec.env["BIG" + std::to_string(i)] = std::string(100'000, 'v');
  EXPECT_EQ(describe(sandbox->start(spec, sink())->wait()), "exited 0");
  EXPECT_EQ(sink().text(), "100000 100000\n");
  spec.id.value = "too-big";
  spec.env["HUGE"] = std::string(3'000'000, 'v');
  EXPECT_THROW(sandbox->start(spec, sink()), Error);
}

class OverlayTest : public Hostile {};

INSTANTIATE_TEST_SUITE_P(Shell, OverlayTest,
                         testing::Values(shell_harness(Mount::overlay), shell_harness(Mount::user_namespace)),
                         [](const auto& kind) { return kind.param.name; });

TEST_P(OverlayTest, TargetAndLowersAreUntouchedOutside) {
  specs_["job"] = harness_->sandbox("job");
  const SandboxSpec& spec = specs_["job"];
  write_file_atomic(spec.workspace / "users-file", "precious", 0644, false);
  auto sandbox = executor().prepare(spec, sink(), {});
  sandbox->start(shell("ls; echo new > created; rm -rf hello; rm -rf \"$PWD\""), sink())->wait();
  EXPECT_THAT(sink().text(), testing::StartsWith("hello\n"));
  EXPECT_EQ(read_file(spec.workspace / "users-file"), "precious");
  EXPECT_FALSE(fs::exists(spec.workspace / "created"));
  EXPECT_EQ(read_file(spec.overlay->lowers[0] / "hello"), "hello\n");
}

TEST_P(OverlayTest, LowerMayBeTheTargetItself) {
  specs_["job"] = harness_->sandbox("job");
  SandboxSpec& spec = specs_["job"];
  write_file_atomic(spec.workspace / "tree", "users", 0644, false);
  spec.overlay->lowers.push_back(spec.workspace);
  auto sandbox = executor().prepare(spec, sink(), {});
  EXPECT_EQ(
      describe(sandbox->start(shell("cat hello tree; echo mine > tree; echo mine > $PWD/absolute"), sink())
                   ->wait()),
      "exited 0");
  EXPECT_EQ(sink().text(), "hello\nusers");
  EXPECT_EQ(read_file(spec.workspace / "tree"), "users");
  EXPECT_FALSE(fs::exists(spec.workspace / "absolute"));
  EXPECT_EQ(read_file(spec.overlay->upper / "tree"), "mine\n");
}

TEST_P(OverlayTest, HundredLayersWithStrangeNames) {
  specs_["job"] = harness_->sandbox("job");
  SandboxSpec& spec = specs_["job"];
  const fs::path base = spec.state_dir.parent_path();
  spec.overlay->lowers.clear();
  for (int i = 0; i < 100; ++i) {
    const fs::path layer = base / ("layer:" + std::to_string(i) + ",x\\y=z " + std::string(150, 'n'));
    make_directories(layer);
    write_file_atomic(layer / ("file" + std::to_string(i)), "x", 0644, false);
    write_file_atomic(layer / "top", std::to_string(i) + "\n", 0644, false);
    spec.overlay->lowers.push_back(layer);
  }
  auto sandbox = executor().prepare(spec, sink(), {});
  EXPECT_EQ(describe(sandbox->start(shell("ls file* | wc -l; cat top"), sink())->wait()), "exited 0");
  EXPECT_EQ(sink().text(), "100\n0\n");
}

TEST_P(OverlayTest, MissingLayerIsNamed) {
  specs_["job"] = harness_->sandbox("job");
  SandboxSpec& spec = specs_["job"];
  spec.overlay->lowers.emplace_back("/no/such/layer");
  auto sandbox = executor().prepare(spec, sink(), {});
  try {
    sandbox->start(shell("true"), sink());
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("'/no/such/layer'"));
    EXPECT_EQ(error.code(), ErrorCode::not_found);
  }
}

TEST_P(OverlayTest, RefusedMountIsAnErrorOfTheMachinery) {
  specs_["job"] = harness_->sandbox("job");
  SandboxSpec& spec = specs_["job"];
  spec.overlay->work = "/proc";  // not on the file system of the upper directory
  auto sandbox = executor().prepare(spec, sink(), {});
  try {
    sandbox->start(shell("true"), sink());
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("cannot mount the workspace over"));
    EXPECT_NE(error.code(), ErrorCode::invalid_input);
  }
  EXPECT_TRUE(test_launcher().try_overlay(*spec.overlay));
}

// A disk of 2 MB for the state directory, which needs root and a mount of the test's own.
TEST(FullDisk, OutputIsReadOnAndTheLossIsReported) {
  const TempDir dir;
  if (::mount("tmpfs", dir.path().c_str(), "tmpfs", 0, "size=2m") != 0)
    GTEST_SKIP() << "cannot mount a small disk";
  {
    ShellExecutor executor(test_launcher());
    SandboxSpec spec;
    spec.id.value = "job";
    spec.state_dir = dir.path();
    spec.workspace = "/tmp";
    RecordingSink sink;
    StepSpec step;
    step.id.value = "script";
    step.argv = {"bash", "-c", "head -c 8000000 /dev/zero | tr '\\0' x; exit 5"};
    step.env = {{"PATH", "/usr/bin:/bin"}};
    // Nothing reads while it runs, so that no hole is punched.
    auto sandbox = executor.prepare(spec, sink, {});
    EXPECT_EQ(describe(sandbox->start(step, sink)->wait()), "exited 5");
    EXPECT_THAT(sink.text(), HasSubstr("bytes of output are lost: No space left on device"));
    executor.destroy(spec.id, spec.state_dir, std::chrono::steady_clock::now() + std::chrono::seconds(5));
  }
  EXPECT_EQ(::umount2(dir.path().c_str(), 0), 0);
}

// The whole way without any privilege, in a child that gave it up.
TEST(Unprivileged, OverlayInAUserNamespaceWorks) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can become another user; the suite above covers this user";
  const TempDir dir;
  const uid_t nobody = 65534;
  ASSERT_EQ(::chown(dir.path().c_str(), nobody, nobody), 0);
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    std::string answer;
    try {
      if (::setresgid(nobody, nobody, nobody) != 0 || ::setresuid(nobody, nobody, nobody) != 0)
        throw_errno("setresuid");
      ::prctl(PR_SET_DUMPABLE, 1);  // lost with the user id; without it /proc/self belongs to root
      const Launcher launcher = Launcher::start();
      ShellExecutor executor(launcher);
      SandboxSpec spec;
      spec.id.value = "job";
      for (const char* name : {"state", "workspace", "lower", "upper", "work"})
        make_directories(dir.path() / name, 0700);
      spec.state_dir = dir.path() / "state";
      spec.workspace = dir.path() / "workspace";
      spec.overlay = OverlayMount{
          {dir.path() / "lower"}, dir.path() / "upper", dir.path() / "work", spec.workspace, true};
      if (const auto refused = launcher.try_overlay(*spec.overlay))
        throw Error(ErrorCode::unavailable, "refused: " + *refused);
      auto sandbox = executor.prepare(spec, *new RecordingSink, {});
      for (const char* id : {"one", "two"}) {
        RecordingSink sink;
        StepSpec step;
        step.id.value = id;
        step.argv = {"sh", "-c", "id -u; echo x >> file; cat file"};
        step.env = {{"PATH", "/usr/bin:/bin"}};
        answer += describe(sandbox->start(step, sink)->wait()) + " ";
        answer += sink.text();
      }
      executor.destroy(spec.id, spec.state_dir, std::chrono::steady_clock::now() + std::chrono::seconds(5));
    } catch (const std::exception& error) {
      answer = error.what();
    }
    write_all(ends[1], answer);
    ::_exit(0);
  }
  ::close(ends[1]);
  std::string answer;
  char buffer[1000];
  for (ssize_t got = 0; (got = ::read(ends[0], buffer, sizeof buffer)) > 0;)
    answer.append(buffer, static_cast<std::size_t>(got));
  ::close(ends[0]);
  ::waitpid(child, nullptr, 0);
  if (answer.compare(0, 8, "refused:") == 0) GTEST_SKIP() << answer;
  EXPECT_EQ(answer, "exited 0 65534\nx\nexited 0 65534\nx\nx\n");
}

}  // namespace
}  // namespace runner::executors::test
