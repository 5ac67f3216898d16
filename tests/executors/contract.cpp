#include "tests/executors/contract.h"

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <thread>

#include "runner/base/error.h"

namespace runner::executors::test {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using testing::HasSubstr;

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(ExecutorContract);

void RecordingSink::write(Stream, std::span<const std::byte> bytes) noexcept {
  size_ += bytes.size();
  if (!keep_) return;
  std::lock_guard lock(mutex_);
  text_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

std::string RecordingSink::text() const {
  std::lock_guard lock(mutex_);
  return text_;
}

std::string describe(const StepEnd& end) {
  struct Visitor {
    std::string operator()(const Exited& e) const { return "exited " + std::to_string(e.code); }
    std::string operator()(const Signaled& e) const { return "signaled " + std::to_string(e.signo); }
    std::string operator()(const OomKilled&) const { return "oom"; }
    std::string operator()(const Stopped&) const { return "stopped"; }
    std::string operator()(const Lost&) const { return "lost"; }
  };
  return std::visit(Visitor{}, end);
}

std::size_t processes_with(const std::string& mark) {
  std::size_t count = 0;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    std::ifstream file(entry.path() / "cmdline", std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    if (text.str().find(mark) != std::string::npos) ++count;
  }
  return count;
}

std::size_t open_descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator("/proc/self/fd")) ++count;
  return count;
}

Gate::Gate() : path_(dir_.path() / "gate") {
  if (::mkfifo(path_.c_str(), 0600) != 0) throw_errno("cannot make a FIFO");
}

std::string Gate::read() const {
  std::ifstream file(path_);
  std::string line;
  std::getline(file, line);
  return line;
}

std::string unique_mark() {
  static std::atomic<int> number = 0;
  return "mark-" + std::to_string(::getpid()) + "-" + std::to_string(++number) + "-";
}

void ExecutorContract::SetUp() {
  harness_ = GetParam().make();
  if (const std::string reason = harness_->refusal(); !reason.empty()) GTEST_SKIP() << reason;
  executor();
  fds_before_ = open_descriptors();
}

void ExecutorContract::TearDown() {
  if (IsSkipped()) return;
  for (const auto& [id, spec] : specs_) destroy(id);
  EXPECT_EQ(open_descriptors(), fds_before_) << "descriptors leaked";
  const auto mounts = read_file("/proc/self/mounts");
  for (const auto& [id, spec] : specs_) EXPECT_EQ(mounts->find(spec.workspace.native()), std::string::npos);
}

StepSpec ExecutorContract::shell(const std::string& script, const std::string& id) {
  StepSpec spec;
  spec.id.value = id;
  spec.argv = {"bash", "-c", script};
  spec.env = {{"PATH", "/usr/local/bin:/usr/bin:/bin"}};
  return spec;
}

std::unique_ptr<Sandbox> ExecutorContract::prepare(const std::string& id) {
  specs_[id] = harness_->sandbox(id);
  RecordingSink preparation;  // what is said of images and services is no output of a step
  return executor().prepare(specs_[id], preparation, {});
}

StepEnd ExecutorContract::run(const std::string& script) {
  return prepare()->start(shell(script), sink_)->wait();
}

void ExecutorContract::destroy(const std::string& id) {
  executor().destroy(SandboxId{id}, state_dir(id),
                     std::chrono::steady_clock::now() + std::chrono::seconds(10));
}

fs::path ExecutorContract::state_dir(const std::string& id) {
  return specs_.at(id).state_dir;
}

namespace {

ErrorCode code_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    return error.code();
  }
  ADD_FAILURE() << "nothing was thrown";
  return ErrorCode::internal;
}

}  // namespace

TEST_P(ExecutorContract, OutputOfBothStreamsIsCompleteAndInOrder) {
  EXPECT_EQ(describe(run("for i in 1 2 3; do echo out$i; echo err$i >&2; done")), "exited 0");
  EXPECT_EQ(sink().text(), "out1\nerr1\nout2\nerr2\nout3\nerr3\n");
}

TEST_P(ExecutorContract, EndsAreDecoded) {
  const std::pair<const char*, const char*> cases[] = {
      {"exit 0", "exited 0"},           {"exit 1", "exited 1"},          {"exit 255", "exited 255"},
      {"exit 143", "exited 143"},       {"kill -KILL $$", "signaled 9"}, {"kill -SEGV $$", "signaled 11"},
      {"kill -PIPE $$", "signaled 13"}, {"kill -ABRT $$", "signaled 6"}};
  auto sandbox = prepare();
  int number = 0;
  for (const auto& [script, expected] : cases)
    EXPECT_EQ(describe(sandbox->start(shell(script, "step" + std::to_string(++number)), sink())->wait()),
              expected)
        << script;
}

TEST_P(ExecutorContract, WaitTwiceGivesTheSameAnswer) {
  auto sandbox = prepare();
  auto step = sandbox->start(shell("echo once; exit 7"), sink());
  EXPECT_EQ(describe(step->wait()), "exited 7");
  EXPECT_EQ(describe(step->wait()), "exited 7");
  EXPECT_EQ(sink().text(), "once\n");
}

TEST_P(ExecutorContract, EnvironmentIsWhatWasGiven) {
  auto sandbox = prepare();
  StepSpec spec = shell("");
  spec.argv = {"env", "-0"};
  spec.env = {{"PATH", "/usr/bin:/bin"}, {"EMPTY", ""}, {"LINES", "a\nb=c"}, {"QUOTE", "'\"$x"}};
  EXPECT_EQ(describe(sandbox->start(spec, sink())->wait()), "exited 0");
  std::set<std::string> seen;
  std::stringstream output(sink().text());
  for (std::string entry; std::getline(output, entry, '\0');)
    if (entry.compare(0, 19, "RUNNER_STEP_COOKIE=") != 0) seen.insert(entry);
  EXPECT_THAT(seen, testing::ElementsAre("EMPTY=", "LINES=a\nb=c", "PATH=/usr/bin:/bin", "QUOTE='\"$x"));
}

TEST_P(ExecutorContract, StandardInputIsAtItsEnd) {
  EXPECT_EQ(describe(run("cat; read x; echo \"read $?\"")), "exited 0");
  EXPECT_EQ(sink().text(), "read 1\n");
}

TEST_P(ExecutorContract, NoOtherDescriptorIsOpen) {
  auto sandbox = prepare();
  StepSpec spec = shell("");
  spec.argv = {"ls", "/proc/self/fd"};
  EXPECT_EQ(describe(sandbox->start(spec, sink())->wait()), "exited 0");
  EXPECT_EQ(sink().text(), "0\n1\n2\n3\n") << "3 is the directory that is listed";
}

TEST_P(ExecutorContract, NoSignalIsBlockedOrIgnored) {
  run("grep -E '^Sig(Blk|Ign)' /proc/self/status | grep -v 0000000000000000; true");
  EXPECT_EQ(sink().text(), "");
}

TEST_P(ExecutorContract, CurrentDirectoryIsTheWorkspaceOrWhatWasAsked) {
  auto sandbox = prepare();
  sandbox->start(shell("pwd -P; cat hello; mkdir sub", "one"), sink())->wait();
  StepSpec spec = shell("pwd -P", "two");
  spec.cwd = specs_["job"].workspace / "sub";
  EXPECT_EQ(describe(sandbox->start(spec, sink())->wait()), "exited 0");
  const std::string workspace = fs::canonical(specs_["job"].workspace).native();
  EXPECT_EQ(sink().text(), workspace + "\nhello\n" + workspace + "/sub\n");
}

TEST_P(ExecutorContract, CommandThatCannotBeStartedIsInvalidInput) {
  auto sandbox = prepare();
  const auto start = [&](const StepSpec& spec) { return code_of([&] { sandbox->start(spec, sink()); }); };
  StepSpec missing = shell("");
  missing.argv = {"no-such-command"};
  EXPECT_EQ(start(missing), ErrorCode::invalid_input);
  StepSpec data = shell("");
  data.argv = {"/etc/passwd"};
  EXPECT_EQ(start(data), ErrorCode::invalid_input);
  StepSpec nowhere = shell("true");
  nowhere.cwd = "/no/such/directory";
  EXPECT_EQ(start(nowhere), ErrorCode::invalid_input);
  StepSpec escaping = shell("true", "../x");
  EXPECT_EQ(start(escaping), ErrorCode::invalid_input);
  EXPECT_EQ(describe(sandbox->start(shell("true"), sink())->wait()), "exited 0")
      << "the sandbox must stay usable";
}

TEST_P(ExecutorContract, StepsOfASandboxSeeTheSameWorkspace) {
  auto sandbox = prepare();
  sandbox->start(shell("echo kept > file; rm hello", "one"), sink())->wait();
  sandbox->start(shell("cat file; ls", "two"), sink())->wait();
  EXPECT_EQ(sink().text(), "kept\nfile\n");
}

TEST_P(ExecutorContract, StopEndsEveryProcess) {
  const std::string mark = unique_mark();
  const Gate gate;
  auto sandbox = prepare();
  auto step = sandbox->start(shell("sleeper() { exec -a " + mark +
                                   " sleep 1000; }\n"
                                   "(sleeper &)\n"
                                   "setsid bash -c 'exec -a " +
                                   mark +
                                   " sleep 1000' &\n"
                                   "(setsid bash -c '(exec -a " +
                                   mark +
                                   " sleep 1000) & exit' &)\n"
                                   "sleeper & until [ $(pgrep -fc '^" +
                                   mark +
                                   "') = 4 ]; do :; done\n"
                                   "echo ready > " +
                                   gate.path() + "; wait"),
                             sink());
  EXPECT_EQ(gate.read(), "ready");
  step->stop(milliseconds(5000));
  EXPECT_EQ(describe(step->wait()), "stopped");
  EXPECT_EQ(processes_with(mark), 0U);
}

TEST_P(ExecutorContract, ProcessThatIgnoresTermIsKilledAfterTheGrace) {
  const std::string mark = unique_mark();
  const Gate gate;
  auto sandbox = prepare();
  auto step = sandbox->start(shell("trap '' TERM; (exec -a " + mark + " sleep 1000) & echo x > " +
                                   gate.path() + "; while :; do sleep 0.01; done"),
                             sink());
  gate.read();
  step->stop(milliseconds(50));
  EXPECT_EQ(describe(step->wait()), "stopped");
  EXPECT_EQ(processes_with(mark), 0U);
}

TEST_P(ExecutorContract, SecondStopShortensTheGrace) {
  const Gate gate;
  auto sandbox = prepare();
  auto step = sandbox->start(
      shell("trap '' TERM; echo x > " + gate.path() + "; while :; do sleep 0.01; done"), sink());
  gate.read();
  step->stop(std::chrono::hours(1));
  step->stop(milliseconds(0));
  step->stop(std::chrono::hours(1));
  EXPECT_EQ(describe(step->wait()), "stopped");
  step->stop(milliseconds(0));
}

TEST_P(ExecutorContract, TermTrapRunsWithinTheGrace) {
  const Gate gate;
  auto sandbox = prepare();
  auto step = sandbox->start(
      shell("trap 'echo cleaned; exit 0' TERM; echo x > " + gate.path() + "; while :; do sleep 0.01; done"),
      sink());
  gate.read();
  step->stop(std::chrono::seconds(20));
  EXPECT_EQ(describe(step->wait()), "stopped");
  EXPECT_THAT(sink().text(), HasSubstr("cleaned\n"));
}

TEST_P(ExecutorContract, DaemonLeftBehindThatHoldsTheOutputIsEnded) {
  const std::string mark = unique_mark();
  EXPECT_EQ(describe(run("(setsid bash -c 'exec -a " + mark + " sleep 1000' &); echo done")), "exited 0");
  EXPECT_EQ(sink().text(), "done\n");
  EXPECT_EQ(processes_with(mark), 0U);
}

TEST_P(ExecutorContract, BackgroundOutputShortlyAfterTheEndIsKept) {
  EXPECT_EQ(describe(run("(sleep 0.1; echo late) & exit 4")), "exited 4");
  EXPECT_EQ(sink().text(), "late\n");
}

TEST_P(ExecutorContract, DestroyTwiceAndOfAnUnknownIdIsFine) {
  run("true");
  destroy();
  destroy();
  EXPECT_TRUE(fs::is_empty(state_dir()));
  executor().destroy(SandboxId{"never-prepared"}, state_dir(), std::chrono::steady_clock::now());
  EXPECT_EQ(executor().reopen(SandboxId{"job"}, state_dir()), nullptr);
}

TEST_P(ExecutorContract, DestroyEndsARunningStep) {
  const std::string mark = unique_mark();
  const Gate gate;
  auto sandbox = prepare();
  auto step = sandbox->start(
      shell("trap '' TERM; echo x > " + gate.path() + "; exec -a " + mark + " sleep 1000"), sink());
  gate.read();
  step.reset();
  destroy();
  EXPECT_EQ(processes_with(mark), 0U);
}

TEST_P(ExecutorContract, AttachGivesTheOutputFromAnyOffset) {
  if (!executor().probe().reattach) GTEST_SKIP() << "no reattach";
  const Gate gate, go;
  auto sandbox = prepare();
  auto step = sandbox->start(
      shell("echo first; echo x > " + gate.path() + "; cat " + go.path() + "; echo last; exit 5"), sink());
  gate.read();
  step.reset();
  sandbox.reset();

  sandbox = executor().reopen(SandboxId{"job"}, state_dir());
  ASSERT_NE(sandbox, nullptr);
  EXPECT_EQ(sandbox->attach(StepId{"other"}, 0, sink()), nullptr);
  RecordingSink running;
  step = sandbox->attach(StepId{"script"}, 3, running);
  ASSERT_NE(step, nullptr);
  std::ofstream(go.path()) << "go\n";
  EXPECT_EQ(describe(step->wait()), "exited 5");
  EXPECT_EQ(running.text(), "st\ngo\nlast\n");

  for (const std::uint64_t offset : {0U, 6U, 14U}) {
    RecordingSink ended;
    EXPECT_EQ(describe(sandbox->attach(StepId{"script"}, offset, ended)->wait()), "exited 5");
    EXPECT_EQ(ended.text(), std::string("first\ngo\nlast\n").substr(offset));
  }
}

TEST_P(ExecutorContract, StopWorksAfterAttach) {
  if (!executor().probe().reattach) GTEST_SKIP() << "no reattach";
  const Gate gate;
  prepare()->start(shell("echo x > " + gate.path() + "; sleep 1000"), sink());
  gate.read();
  auto step = executor().reopen(SandboxId{"job"}, state_dir())->attach(StepId{"script"}, 0, sink());
  step->stop(milliseconds(5000));
  EXPECT_EQ(describe(step->wait()), "stopped");
}

TEST_P(ExecutorContract, CancelledPrepareThrowsCancelled) {
  std::stop_source stop;
  stop.request_stop();
  specs_["job"] = harness_->sandbox("job");
  EXPECT_EQ(code_of([&] { executor().prepare(specs_["job"], sink(), stop.get_token()); }),
            ErrorCode::cancelled);
}

TEST_P(ExecutorContract, HundredMegabytesPassWithoutMemoryGrowth) {
  rusage before{};
  ::getrusage(RUSAGE_SELF, &before);
  RecordingSink counting(false);
  auto sandbox = prepare();
  EXPECT_EQ(describe(sandbox->start(shell("head -c 100000000 /dev/zero"), counting)->wait()), "exited 0");
  EXPECT_EQ(counting.size(), 100000000U);
  rusage after{};
  ::getrusage(RUSAGE_SELF, &after);
  EXPECT_LT(after.ru_maxrss - before.ru_maxrss, 8 * 1024) << "KiB";
}

TEST_P(ExecutorContract, SandboxesRunAtTheSameTime) {
  constexpr int kThreads = 4;
  constexpr int kSteps = 5;
  for (int t = 0; t < kThreads; ++t)
    specs_["t" + std::to_string(t)] = harness_->sandbox("t" + std::to_string(t));
  std::atomic<int> good = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      RecordingSink own, preparation;
      auto sandbox = executor().prepare(specs_.at("t" + std::to_string(t)), preparation, {});
      for (int s = 0; s < kSteps; ++s)
        if (describe(sandbox->start(shell("echo " + std::to_string(t), std::to_string(s)), own)->wait()) ==
            "exited 0")
          ++good;
      std::string expected;
      for (int s = 0; s < kSteps; ++s) expected += std::to_string(t) + "\n";
      EXPECT_EQ(own.text(), expected);
    });
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(good, kThreads * kSteps);
}

}  // namespace runner::executors::test
