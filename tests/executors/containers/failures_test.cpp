// What ends a step in a container before its time, and what is left then.

#include <gmock/gmock.h>
#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "executors/containers/engine_things.h"
#include "runner/base/error.h"
#include "runner/base/text.h"
#include "tests/executors/containers/container_fixture.h"
#include "tests/executors/shell_harness.h"
#include "tests/support/child_program.h"

namespace runner::executors::test {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using testing::HasSubstr;

class ContainerFailures : public ContainerFixture {
 protected:
  /// A runner of its own that has started a step; what it was given is `sandbox("job")`.
  std::unique_ptr<runner::test::ChildProgram> start_runner(const std::string& script,
                                                           const char* life = "beyond") {
    auto program = std::make_unique<runner::test::ChildProgram>(std::vector<std::string>{
        CONTAINER_PROGRAM, "run", engine().socket().native(), owner(), base().native(), script, life});
    EXPECT_EQ(program->read_line(), "started");
    return program;
  }
  bool runs(const std::string& id = "job") {
    EngineApi api(engine().socket());
    api.agree();
    const auto names = container_names(owner(), SandboxId{id}, {});
    const EngineAnswer answer = api.call({"GET", "/containers/" + names.build() + "/json"});
    return answer.ok() && answer.body.find("\"Running\":true") != std::string::npos;
  }
};
WITH_BOTH_ENGINES(ContainerFailures);

// The process that looks after the step in `step_dir`.
pid_t supervisor_of(const fs::path& step_dir) {
  for (const auto& entry : fs::directory_iterator("/proc")) {
    std::error_code gone;
    const auto pid = parse_integer(entry.path().filename().native());
    if (!pid || *pid == ::getpid()) continue;  // we read the spool too
    for (const auto& file : fs::directory_iterator(entry.path() / "fd", gone))
      if (fs::read_symlink(file.path(), gone) == step_dir / "spool") return static_cast<pid_t>(*pid);
  }
  ADD_FAILURE() << "no supervisor of " << step_dir;
  return -1;
}

TEST_P(ContainerFailures, TermReachesTheScriptWithinTheGrace) {
  SandboxSpec& spec = sandbox();
  const ContainerGate gate(spec, "gate");
  auto sandbox = prepare(spec);
  auto step = sandbox->start(
      shell("trap 'echo cleaned; exit 3' TERM; echo up > " + gate.path() + "; while :; do sleep 0.05; done"),
      sink_);
  EXPECT_EQ(gate.read(), "up");
  step->stop(std::chrono::seconds(60));
  EXPECT_EQ(describe(step->wait()), "stopped");
  EXPECT_THAT(sink_.text(), HasSubstr("cleaned\n"));
  EXPECT_FALSE(runs());
}

TEST_P(ContainerFailures, ScriptThatIgnoresTermIsKilledAfterTheGraceAndTheNextStepRuns) {
  SandboxSpec& spec = sandbox();
  const ContainerGate gate(spec, "gate");
  auto sandbox = prepare(spec);
  auto step = sandbox->start(
      shell("trap '' TERM; echo up > " + gate.path() + "; while :; do sleep 0.05; done"), sink_);
  gate.read();
  step->stop(milliseconds(200));
  EXPECT_EQ(describe(step->wait()), "stopped");
  EXPECT_FALSE(runs()) << "nothing of a step is alive after wait()";
  RecordingSink out;
  EXPECT_EQ(describe(sandbox->start(shell("echo after", "after_script"), out)->wait()), "exited 0");
  EXPECT_EQ(out.text(), "after\n");
  EXPECT_EQ(describe(sandbox->attach(StepId{"script"}, 0, out)->wait()), "stopped");
}

TEST_P(ContainerFailures, ScriptWithoutATrapEndsLongBeforeTheGrace) {
  SandboxSpec& spec = sandbox();
  const ContainerGate gate(spec, "gate");
  auto sandbox = prepare(spec);
  auto step =
      sandbox->start(shell("echo up > " + gate.path() + "; while :; do sleep 0.05 || true; done"), sink_);
  gate.read();
  const auto begun = std::chrono::steady_clock::now();
  step->stop(std::chrono::seconds(300));
  EXPECT_EQ(describe(step->wait()), "stopped");
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(100));
  RecordingSink out;
  EXPECT_EQ(describe(sandbox->start(shell("echo after", "after_script"), out)->wait()), "exited 0");
  EXPECT_EQ(out.text(), "after\n");
}

TEST_P(ContainerFailures, ManyStepsFollowEachOtherAtOnceInOneContainer) {
  auto sandbox = prepare(this->sandbox());
  for (int i = 0; i < 5; ++i) {
    RecordingSink out;
    const std::string number = std::to_string(i);
    EXPECT_EQ(describe(sandbox->start(shell("cat hello; exit " + number, "s" + number), out)->wait()),
              "exited " + number);
    EXPECT_EQ(out.text(), "hello\n") << "what cleans up after a step leaves the next one alone";
  }
}

TEST_P(ContainerFailures, StopBeforeTheContainerRunsStopsIt) {
  auto sandbox = prepare(this->sandbox());
  auto step = sandbox->start(shell("sleep 1000"), sink_);
  step->stop(milliseconds(0));
  EXPECT_EQ(describe(step->wait()), "stopped");
  destroy();
}

TEST_P(ContainerFailures, KilledRunnerFindsTheStepAgainWithItsWholeLog) {
  SandboxSpec& spec = sandbox();
  const ContainerGate gate(spec, "gate"), go(spec, "go");
  {
    auto program =
        start_runner("echo first; echo up > " + gate.path() + "; cat " + go.path() + "; seq 20000; exit 5");
    gate.read();
    program->kill();
  }
  auto sandbox = executor().reopen(SandboxId{"job"}, spec.state_dir);
  ASSERT_NE(sandbox, nullptr);
  EXPECT_EQ(sandbox->attach(StepId{"other"}, 0, sink_), nullptr);
  RecordingSink out;
  auto step = sandbox->attach(StepId{"script"}, 0, out);
  go.write();
  EXPECT_EQ(describe(step->wait()), "exited 5");
  std::string expected = "first\ngo\n";
  for (int i = 1; i <= 20000; ++i) expected += std::to_string(i) + "\n";
  EXPECT_EQ(out.text(), expected);
  RecordingSink part;
  EXPECT_EQ(describe(sandbox->attach(StepId{"script"}, 6, part)->wait()), "exited 5");
  EXPECT_EQ(part.text(), expected.substr(6));
}

TEST_P(ContainerFailures, StepThatLivesWithItsRunnerEndsWithIt) {
  SandboxSpec& spec = sandbox();
  const ContainerGate gate(spec, "gate");
  auto program = start_runner(
      "trap 'echo termed' TERM; echo up > " + gate.path() + "; while :; do sleep 0.05; done", "with");
  gate.read();
  program->kill();
  program.reset();
  auto step = executor().reopen(SandboxId{"job"}, spec.state_dir)->attach(StepId{"script"}, 0, sink_);
  EXPECT_NE(describe(step->wait()), "exited 0");
  EXPECT_FALSE(runs());
  EXPECT_THAT(sink_.text(), HasSubstr("termed\n"));
}

TEST_P(ContainerFailures, KilledSupervisorIsALostStepAndItsContainerDoesNotRunOn) {
  SandboxSpec& spec = sandbox();
  const ContainerGate gate(spec, "gate");
  auto sandbox = prepare(spec);
  auto step = sandbox->start(shell("echo before; echo up > " + gate.path() + "; sleep 1000"), sink_);
  gate.read();
  EXPECT_TRUE(runs());
  ::kill(supervisor_of(spec.state_dir / "step.script"), SIGKILL);
  const StepEnd end = step->wait();
  ASSERT_EQ(describe(end), "lost");
  EXPECT_EQ(std::get<Lost>(end).why, "its supervisor was killed");
  EXPECT_FALSE(runs());
  destroy();
  EXPECT_EQ(things(), 0U);
}

TEST_P(ContainerFailures, KilledEngineIsALostStepAndNoHang) {
  runner::test::RealEngine own(GetParam());
  use_engine(own);
  SandboxSpec& spec = sandbox();
  const ContainerGate gate(spec, "gate");
  auto sandbox = prepare(spec);
  auto step = sandbox->start(shell("echo before; echo up > " + gate.path() + "; sleep 1000"), sink_);
  gate.read();
  own.kill();
  const StepEnd end = step->wait();
  ASSERT_EQ(describe(end), "lost");
  EXPECT_THAT(std::get<Lost>(end).why, HasSubstr("container engine"));
  EXPECT_THAT(std::get<Lost>(end).why, HasSubstr("may still run"));
  EXPECT_EQ(error_of([&] { destroy(); }), ErrorCode::unavailable);
  own.start();
  destroy();
  EXPECT_EQ(things(), 0U);
  use_engine(runner::test::RealEngine::shared(GetParam()));
}

TEST_P(ContainerFailures, NoEngineAtTheSocketIsSaidWithTheMend) {
  ContainerOptions options = container_options(base() / "nothing", owner());
  ContainerExecutor none(test_launcher(), options);
  std::string text;
  EXPECT_EQ(error_of([&] { none.probe(); }, &text), ErrorCode::unavailable);
  EXPECT_THAT(text, HasSubstr("no container engine answers at '" + (base() / "nothing").native() +
                              "'; start Docker"));
  EXPECT_EQ(error_of([&] { none.prepare(container_sandbox(base(), "job"), sink_, {}); }),
            ErrorCode::unavailable);
}

TEST_P(ContainerFailures, DestroyTwiceAndOfAnUnknownIdIsFine) {
  run("true");
  destroy();
  destroy();
  EXPECT_TRUE(fs::is_empty(base() / "job" / "state"));
  EXPECT_EQ(executor().reopen(SandboxId{"job"}, base() / "job" / "state"), nullptr);
  executor().destroy(SandboxId{"never"}, base() / "job" / "state", std::chrono::steady_clock::now());
}

TEST_P(ContainerFailures, DestroyEndsARunningStep) {
  SandboxSpec& spec = sandbox();
  const ContainerGate gate(spec, "gate");
  auto sandbox = prepare(spec);
  auto step = sandbox->start(shell("trap '' TERM; echo up > " + gate.path() + "; sleep 1000"), sink_);
  gate.read();
  step.reset();
  destroy();
  EXPECT_EQ(things(), 0U);
}

TEST_P(ContainerFailures, ContainerThatSomebodyRemovedIsALostStep) {
  SandboxSpec& spec = sandbox();
  auto sandbox = prepare(spec);
  EngineApi api(engine().socket());
  api.agree();
  api.expect({"DELETE", "/containers/" + container_names(owner(), spec.id, {}).build() + "?force=1"},
             "remove");
  const StepEnd end = sandbox->start(shell("true"), sink_)->wait();
  ASSERT_EQ(describe(end), "lost");
  EXPECT_THAT(std::get<Lost>(end).why, HasSubstr("its container is gone"));
}

TEST_P(ContainerFailures, SandboxIsPreparedAgainAfterAPreparationThatWasKilled) {
  SandboxSpec& spec = sandbox();
  prepare(spec);
  auto sandbox = prepare(spec);
  EXPECT_EQ(describe(sandbox->start(shell("true"), sink_)->wait()), "exited 0");
  EXPECT_EQ(things(), 2U) << "a container and a volume";
}

TEST_P(ContainerFailures, SweepRemovesOnlyWhatIsOursAndNotKept) {
  prepare(sandbox("kept"));
  prepare(sandbox("left"));
  ContainerOptions options = container_options(engine().socket(), owner() + "2");
  options.program = CONTAINER_PROGRAM;
  ContainerExecutor other(test_launcher(), options);
  const SandboxSpec& theirs = container_sandbox(base() / "other", "left");
  other.prepare(theirs, sink_, {});
  const auto soon = [] { return std::chrono::steady_clock::now() + std::chrono::minutes(1); };
  EXPECT_EQ(executor().sweep([](const std::string& id) { return id == "kept"; }, soon()), 2U);
  EXPECT_EQ(things(), 2U);
  EngineApi api(engine().socket());
  api.agree();
  EXPECT_EQ(find_things(api, owner() + "2", SandboxId{"left"}, soon()).size(), 2U);
  EXPECT_EQ(executor().sweep([](const std::string& id) { return id == "kept"; }, soon()), 0U);
  other.destroy(theirs.id, theirs.state_dir, soon());
}

}  // namespace
}  // namespace runner::executors::test
