#pragma once
// An executor whose steps do what a table says. Nothing is started and nothing sleeps: steps end at once, or
// when the test releases them. Thread-safe.

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "executors/executor.h"

namespace runner::test {

struct ScriptedStep {
  std::vector<std::pair<executors::Stream, std::string>> output;  // one sink.write() each, from wait()
  executors::StepEnd end = executors::Exited{0};
  std::string start_error;    // not empty: start() throws Error{invalid_input} with it
  std::string until;          // not empty: after the output, wait() blocks until release(until) or stop()
  bool ignores_stop = false;  // stop() with a grace above zero does not end it
  bool vanishes_on_restart = false;  // attach() answers Lost instead of going on
  /// What the step does to files; called in start(), without a lock held.
  std::function<void(const executors::SandboxSpec&, const executors::StepSpec&)> effect;
};

struct ScriptedSandbox {
  std::string prepare_error;  // not empty: prepare() throws Error{unavailable} with it
  std::string prepare_until;  // not empty: prepare() blocks until release() of it or its stop token
  std::map<std::string, ScriptedStep> steps;  // by step id; a step not named here exits 0 without output
};

class ScriptedExecutor final : public executors::Executor {
 public:
  /// Sandboxes by their label "job", or else by their id. An attempt can be told apart as "<name>#2" (the
  /// second prepare() of that name). Names not in the table get an empty ScriptedSandbox.
  explicit ScriptedExecutor(std::map<std::string, ScriptedSandbox> script = {});
  ~ScriptedExecutor() override;

  std::string_view name() const noexcept override { return "scripted"; }
  executors::Capabilities probe() override;
  std::unique_ptr<executors::Sandbox> prepare(const executors::SandboxSpec& spec, executors::LogSink& sink,
                                              std::stop_token stop) override;
  std::unique_ptr<executors::Sandbox> reopen(const executors::SandboxId& id,
                                             const std::filesystem::path& state_dir) override;
  void destroy(const executors::SandboxId& id, const std::filesystem::path& state_dir,
               executors::Deadline deadline) override;

  /// Lets everything go on that waits for `gate`, now and later.
  void release(const std::string& gate);
  /// As if the runner had been killed: every wait() and blocked prepare() throws Error{internal}, and
  /// sandboxes and steps are found again only by reopen() and attach().
  void restart();
  /// Blocks until a call was recorded, such as "start build/script".
  void await_call(const std::string& call);

  /// "prepare JOB", "start JOB/STEP", "attach JOB/STEP", "stop JOB/STEP", "end JOB/STEP", "reopen JOB",
  /// "destroy JOB", in order.
  std::vector<std::string> calls() const;
  /// What start() was given, in order.
  std::vector<executors::StepSpec> started() const;
  /// Calls in a wrong order (start before prepare, two steps at once, prepare of a living id, ...). The call
  /// itself threw Error{internal}. A test ends with: EXPECT_THAT(executor.violations(), IsEmpty()).
  std::vector<std::string> violations() const;
  /// Ids prepared and not destroyed.
  std::vector<std::string> living() const;

  struct State;

 private:
  std::shared_ptr<State> state_;  // steps and sandboxes may outlive the executor
};

}  // namespace runner::test
