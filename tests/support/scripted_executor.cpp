#include "tests/support/scripted_executor.h"

#include <algorithm>
#include <condition_variable>
#include <set>

#include "runner/base/error.h"

namespace runner::test {

using namespace executors;

namespace {

struct RunningStep {
  ScriptedStep script;
  std::uint64_t written = 0;  // bytes of output that a sink has
  bool stopped = false;
  bool orphaned = false;  // the runner was restarted under it
  std::optional<StepEnd> end;
};

struct Box {
  std::string name;
  SandboxSpec spec;
  ScriptedSandbox script;
  std::map<std::string, std::shared_ptr<RunningStep>> steps;
};

}  // namespace

struct ScriptedExecutor::State {
  mutable std::mutex mutex;
  std::condition_variable_any changed;
  std::map<std::string, ScriptedSandbox> script;
  std::map<std::string, int> attempts;
  std::map<std::string, std::shared_ptr<Box>> boxes;
  std::set<std::string> released;
  std::uint64_t generation = 0;  // counts restarts
  std::vector<std::string> calls;
  std::vector<StepSpec> started;
  std::vector<std::string> violations;

  void record(std::string call) {
    calls.push_back(std::move(call));
    changed.notify_all();
  }
  [[noreturn]] void violate(std::string what) {
    violations.push_back(what);
    throw Error(ErrorCode::internal, "call order: " + what);
  }
  void check_generation(std::uint64_t mine) const {
    if (mine != generation) throw Error(ErrorCode::internal, "the runner was restarted");
  }
  ScriptedSandbox script_for(const std::string& name) {
    const int attempt = ++attempts[name];
    auto found = script.find(name + "#" + std::to_string(attempt));
    if (found == script.end()) found = script.find(name);
    return found == script.end() ? ScriptedSandbox{} : found->second;
  }
};

namespace {

using State = ScriptedExecutor::State;

class FakeStep final : public Step {
 public:
  FakeStep(std::shared_ptr<State> state, std::shared_ptr<Box> box, std::string id, std::uint64_t offset,
           LogSink& sink)
      : state_(std::move(state)),
        box_(std::move(box)),
        id_(std::move(id)),
        step_(box_->steps.at(id_)),
        offset_(offset),
        sink_(sink),
        generation_(state_->generation) {}

  StepEnd wait() override {
    {
      std::lock_guard lock(state_->mutex);
      state_->check_generation(generation_);
      if (delivered_) return *step_->end;
    }
    deliver();
    std::unique_lock lock(state_->mutex);
    state_->changed.wait(lock, [&] { return may_end() || generation_ != state_->generation; });
    state_->check_generation(generation_);
    delivered_ = true;
    if (!step_->end) {
      step_->end = step_->stopped ? StepEnd{Stopped{}} : step_->script.end;
      state_->record("end " + box_->name + "/" + id_);
    }
    return *step_->end;
  }

  void stop(std::chrono::milliseconds grace) noexcept override {
    std::lock_guard lock(state_->mutex);
    state_->record("stop " + box_->name + "/" + id_);
    if (!step_->end && (!step_->script.ignores_stop || grace.count() <= 0)) step_->stopped = true;
    state_->changed.notify_all();
  }

 private:
  bool may_end() const {
    return step_->end || step_->stopped || step_->script.until.empty() ||
           state_->released.count(step_->script.until) > 0;
  }

  void deliver() {
    std::uint64_t position = 0;
    for (const auto& [stream, text] : step_->script.output) {
      const std::uint64_t skip = std::min<std::uint64_t>(text.size(), offset_ - std::min(offset_, position));
      position += text.size();
      if (skip < text.size()) sink_.write(stream, std::as_bytes(std::span(text).subspan(skip)));
    }
    offset_ = std::max(offset_, position);
  }

  std::shared_ptr<State> state_;
  std::shared_ptr<Box> box_;
  std::string id_;
  std::shared_ptr<RunningStep> step_;
  std::uint64_t offset_;
  LogSink& sink_;
  std::uint64_t generation_;
  bool delivered_ = false;
};

class FakeSandbox final : public Sandbox {
 public:
  FakeSandbox(std::shared_ptr<State> state, std::shared_ptr<Box> box)
      : state_(std::move(state)), box_(std::move(box)), generation_(state_->generation) {}

  std::unique_ptr<Step> start(const StepSpec& spec, LogSink& sink) override {
    std::function<void(const SandboxSpec&, const StepSpec&)> effect;
    {
      std::lock_guard lock(state_->mutex);
      check_alive("start");
      const std::string name = box_->name + "/" + spec.id.value;
      state_->record("start " + name);
      state_->started.push_back(spec);
      if (box_->steps.count(spec.id.value) > 0) state_->violate("start of " + name + " twice");
      for (const auto& [other, step] : box_->steps)
        if (!step->end) state_->violate("start of " + name + " while " + other + " runs");
      auto step = std::make_shared<RunningStep>();
      if (auto found = box_->script.steps.find(spec.id.value); found != box_->script.steps.end())
        step->script = found->second;
      if (!step->script.start_error.empty()) throw Error(ErrorCode::invalid_input, step->script.start_error);
      effect = step->script.effect;
      box_->steps[spec.id.value] = std::move(step);
    }
    if (effect) effect(box_->spec, spec);
    std::lock_guard lock(state_->mutex);
    return std::make_unique<FakeStep>(state_, box_, spec.id.value, 0, sink);
  }

  std::unique_ptr<Step> attach(const StepId& id, std::uint64_t log_offset, LogSink& sink) override {
    std::lock_guard lock(state_->mutex);
    check_alive("attach");
    state_->record("attach " + box_->name + "/" + id.value);
    auto found = box_->steps.find(id.value);
    if (found == box_->steps.end()) return nullptr;
    RunningStep& step = *found->second;
    if (step.orphaned && step.script.vanishes_on_restart && !step.end)
      step.end = Lost{"it vanished on restart"};
    return std::make_unique<FakeStep>(state_, box_, id.value, log_offset, sink);
  }

 private:
  void check_alive(const char* what) {
    state_->check_generation(generation_);
    auto found = state_->boxes.find(box_->spec.id.value);
    if (found == state_->boxes.end() || found->second != box_)
      state_->violate(std::string(what) + " in " + box_->name + " after destroy");
  }

  std::shared_ptr<State> state_;
  std::shared_ptr<Box> box_;
  std::uint64_t generation_;
};

}  // namespace

ScriptedExecutor::ScriptedExecutor(std::map<std::string, ScriptedSandbox> script)
    : state_(std::make_shared<State>()) {
  state_->script = std::move(script);
}

ScriptedExecutor::~ScriptedExecutor() = default;

Capabilities ScriptedExecutor::probe() {
  Capabilities capabilities;
  capabilities.reattach = true;
  return capabilities;
}

std::unique_ptr<Sandbox> ScriptedExecutor::prepare(const SandboxSpec& spec, LogSink&, std::stop_token stop) {
  std::unique_lock lock(state_->mutex);
  auto box = std::make_shared<Box>();
  auto label = spec.labels.find("job");
  box->name = label == spec.labels.end() ? spec.id.value : label->second;
  box->spec = spec;
  state_->record("prepare " + box->name);
  if (state_->boxes.count(spec.id.value) > 0) state_->violate("prepare of " + spec.id.value + " twice");
  box->script = state_->script_for(box->name);
  state_->boxes[spec.id.value] = box;
  const std::uint64_t generation = state_->generation;
  const std::string& gate = box->script.prepare_until;
  state_->changed.wait(lock, stop, [&] {
    return gate.empty() || state_->released.count(gate) > 0 || generation != state_->generation;
  });
  state_->check_generation(generation);
  if (stop.stop_requested()) throw Error(ErrorCode::cancelled, "the preparation was cancelled");
  if (!box->script.prepare_error.empty()) throw Error(ErrorCode::unavailable, box->script.prepare_error);
  return std::make_unique<FakeSandbox>(state_, box);
}

std::unique_ptr<Sandbox> ScriptedExecutor::reopen(const SandboxId& id, const std::filesystem::path&) {
  std::lock_guard lock(state_->mutex);
  auto found = state_->boxes.find(id.value);
  state_->record("reopen " + (found == state_->boxes.end() ? id.value : found->second->name));
  if (found == state_->boxes.end()) return nullptr;
  return std::make_unique<FakeSandbox>(state_, found->second);
}

void ScriptedExecutor::destroy(const SandboxId& id, const std::filesystem::path&, Deadline) {
  std::lock_guard lock(state_->mutex);
  auto found = state_->boxes.find(id.value);
  state_->record("destroy " + (found == state_->boxes.end() ? id.value : found->second->name));
  if (found == state_->boxes.end()) return;
  for (auto& [name, step] : found->second->steps)
    if (!step->end) step->stopped = true;
  state_->boxes.erase(found);
  state_->changed.notify_all();
}

void ScriptedExecutor::release(const std::string& gate) {
  std::lock_guard lock(state_->mutex);
  state_->released.insert(gate);
  state_->changed.notify_all();
}

void ScriptedExecutor::restart() {
  std::lock_guard lock(state_->mutex);
  ++state_->generation;
  for (auto& [id, box] : state_->boxes)
    for (auto& [name, step] : box->steps) step->orphaned = true;
  state_->changed.notify_all();
}

void ScriptedExecutor::await_call(const std::string& call) {
  std::unique_lock lock(state_->mutex);
  state_->changed.wait(lock, [&] {
    return std::find(state_->calls.begin(), state_->calls.end(), call) != state_->calls.end();
  });
}

std::vector<std::string> ScriptedExecutor::calls() const {
  std::lock_guard lock(state_->mutex);
  return state_->calls;
}

std::vector<StepSpec> ScriptedExecutor::started() const {
  std::lock_guard lock(state_->mutex);
  return state_->started;
}

std::vector<std::string> ScriptedExecutor::violations() const {
  std::lock_guard lock(state_->mutex);
  return state_->violations;
}

std::vector<std::string> ScriptedExecutor::living() const {
  std::lock_guard lock(state_->mutex);
  std::vector<std::string> ids;
  for (const auto& [id, box] : state_->boxes) ids.push_back(id);
  return ids;
}

}  // namespace runner::test
