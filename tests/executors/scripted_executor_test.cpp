#include "tests/support/scripted_executor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "runner/base/error.h"
#include "tests/executors/contract.h"

namespace runner::test {
namespace {

using namespace executors;
using executors::test::describe;
using executors::test::RecordingSink;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

SandboxSpec box(const std::string& id, const std::string& job = {}) {
  SandboxSpec spec;
  spec.id.value = id;
  if (!job.empty()) spec.labels["job"] = job;
  return spec;
}

StepSpec step(const std::string& id) {
  StepSpec spec;
  spec.id.value = id;
  return spec;
}

ScriptedSandbox with_script(ScriptedStep script) {
  ScriptedSandbox sandbox;
  sandbox.steps["script"] = std::move(script);
  return sandbox;
}

TEST(ScriptedExecutor, PlaysOutputAndEndAndRecordsCalls) {
  ScriptedStep script;
  script.output = {{Stream::out, "one\n"}, {Stream::err, "two\n"}};
  script.end = Exited{3};
  ScriptedExecutor executor({{"build", with_script(script)}});
  RecordingSink sink;
  auto sandbox = executor.prepare(box("1", "build"), sink, {});
  EXPECT_EQ(describe(sandbox->start(step("script"), sink)->wait()), "exited 3");
  EXPECT_EQ(describe(sandbox->start(step("after_script"), sink)->wait()), "exited 0");
  EXPECT_EQ(sink.text(), "one\ntwo\n");
  EXPECT_THAT(executor.living(), ElementsAre("1"));
  executor.destroy(SandboxId{"1"}, {}, {});
  executor.destroy(SandboxId{"1"}, {}, {});
  EXPECT_THAT(executor.calls(), ElementsAre("prepare build", "start build/script", "end build/script",
                                            "start build/after_script", "end build/after_script",
                                            "destroy build", "destroy 1"));
  EXPECT_THAT(executor.living(), IsEmpty());
  EXPECT_THAT(executor.violations(), IsEmpty());
}

TEST(ScriptedExecutor, SecondAttemptMayDiffer) {
  ScriptedSandbox broken;
  broken.prepare_error = "no disk";
  ScriptedExecutor executor({{"build", broken}, {"build#2", ScriptedSandbox{}}});
  RecordingSink sink;
  EXPECT_THROW(executor.prepare(box("1", "build"), sink, {}), Error);
  executor.destroy(SandboxId{"1"}, {}, {});
  EXPECT_NE(executor.prepare(box("2", "build"), sink, {}), nullptr);
}

TEST(ScriptedExecutor, StepBlocksUntilItsGateIsReleasedOrItIsStopped) {
  ScriptedStep script;
  script.until = "gate";
  ScriptedExecutor executor({{"a", with_script(script)}, {"b", with_script(script)}});
  RecordingSink sink;
  auto a = executor.prepare(box("a"), sink, {})->start(step("script"), sink);
  auto b = executor.prepare(box("b"), sink, {})->start(step("script"), sink);
  StepEnd a_end;
  std::thread waiting([&] { a_end = a->wait(); });
  b->stop(std::chrono::milliseconds(1));
  EXPECT_EQ(describe(b->wait()), "stopped");
  executor.release("gate");
  waiting.join();
  EXPECT_EQ(describe(a_end), "exited 0");
}

TEST(ScriptedExecutor, RestartLosesHandlesAndAttachFindsSteps) {
  ScriptedStep stays, goes;
  stays.output = {{Stream::out, "hello"}};
  goes.vanishes_on_restart = true;
  goes.until = stays.until = "gate";
  ScriptedExecutor executor({{"a", with_script(stays)}, {"b", with_script(goes)}});
  RecordingSink sink;
  auto old = executor.prepare(box("a"), sink, {})->start(step("script"), sink);
  executor.prepare(box("b"), sink, {})->start(step("script"), sink);
  executor.restart();
  EXPECT_THROW(old->wait(), Error);
  auto a = executor.reopen(SandboxId{"a"}, {})->attach(StepId{"script"}, 2, sink);
  auto b = executor.reopen(SandboxId{"b"}, {})->attach(StepId{"script"}, 0, sink);
  EXPECT_EQ(describe(b->wait()), "lost");
  executor.release("gate");
  EXPECT_EQ(describe(a->wait()), "exited 0");
  EXPECT_EQ(sink.text(), "llo");
  EXPECT_EQ(executor.reopen(SandboxId{"c"}, {}), nullptr);
}

TEST(ScriptedExecutor, WrongOrderIsAViolation) {
  ScriptedStep script;
  script.until = "never";
  ScriptedExecutor executor({{"a", with_script(script)}});
  RecordingSink sink;
  auto sandbox = executor.prepare(box("a"), sink, {});
  EXPECT_THROW(executor.prepare(box("a"), sink, {}), Error);
  auto running = sandbox->start(step("script"), sink);
  EXPECT_THROW(sandbox->start(step("other"), sink), Error);
  executor.destroy(SandboxId{"a"}, {}, {});
  EXPECT_EQ(describe(running->wait()), "stopped");
  EXPECT_THROW(sandbox->start(step("late"), sink), Error);
  EXPECT_THAT(executor.violations(),
              ElementsAre(HasSubstr("twice"), HasSubstr("while"), HasSubstr("after destroy")));
}

TEST(ScriptedExecutor, BlockedPrepareIsCancelled) {
  ScriptedSandbox slow;
  slow.prepare_until = "image";
  ScriptedExecutor executor({{"a", slow}});
  RecordingSink sink;
  std::stop_source stop;
  std::thread cancel([&] {
    executor.await_call("prepare a");
    stop.request_stop();
  });
  try {
    executor.prepare(box("a"), sink, stop.get_token());
    ADD_FAILURE() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::cancelled);
  }
  cancel.join();
}

}  // namespace
}  // namespace runner::test
