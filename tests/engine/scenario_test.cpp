// Runs every directory of tests/scenarios: ci.yml through the real planner, the real engine and a real store.
// Steps do what script.json says (ScriptedExecutor); with "shell" in expect.json the same pipeline is run by
// real shells as well, with "only" by those alone. Adding a scenario needs no C++.
//
// script.json: job (or "job#2" for its second attempt) -> {"prepare_error", "script": step, "after_script":
// step};
//   a step: {"exit", "signal", "output", "files": {path: text}, "until": gate, "ignores_stop"}; default: exit
//   0.
// expect.json: what to do: select, play, play_after, play_when, cancel_when, kill_when, start_in_ms,
// timeout_ms;
//   what must come out: status, warnings, jobs (failed and allowed is "warning"), absent, attempts,
//   exit_codes, failures, archives, log_has, log_lacks, log_once, saw; scripted only: order, order_of, alone,
//   steps, env.
#include <gmock/gmock.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/engine/engine_harness.h"
#include "tests/engine/shell_launcher.h"
#include "tests/support/memory_repository.h"
#include "tests/support/scripted_executor.h"
#include "tests/support/source_dir.h"

namespace runner::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using pipelines::JobStatus;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

const fs::path kScenarios = source_dir() / "tests" / "scenarios";

std::vector<std::string> scenario_names() {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(kScenarios))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

json read_json(const fs::path& path) {
  const auto text = read_file(path);
  return text ? json::parse(*text) : json::object();
}

ScriptedStep scripted_step(const json& spec) {
  ScriptedStep step;
  if (spec.contains("output"))
    step.output = {{executors::Stream::out, spec["output"].get<std::string>() + "\n"}};
  if (spec.contains("exit")) step.end = executors::Exited{spec["exit"]};
  if (spec.contains("signal")) step.end = executors::Signaled{spec["signal"], false};
  step.until = spec.value("until", "");
  step.ignores_stop = spec.value("ignores_stop", false);
  if (spec.contains("files")) {
    const auto files = spec["files"].get<std::map<std::string, std::string>>();
    step.effect = [files](const executors::SandboxSpec& sandbox, const executors::StepSpec&) {
      for (const auto& [path, text] : files) {
        make_directories((sandbox.workspace / path).parent_path());
        write_file_atomic(sandbox.workspace / path, text, 0644, false);
      }
    };
  }
  return step;
}

std::map<std::string, ScriptedSandbox> scripted(const json& script) {
  std::map<std::string, ScriptedSandbox> sandboxes;
  for (const auto& [job, spec] : script.items()) {
    ScriptedSandbox& sandbox = sandboxes[job];
    sandbox.prepare_error = spec.value("prepare_error", "");
    for (const char* step : {"script", "after_script"}) {
      if (spec.contains(step)) sandbox.steps[step] = scripted_step(spec[step]);
    }
  }
  return sandboxes;
}

std::string shown(const engine::JobView& job) {
  if (job.status == JobStatus::failed && job.allow_failure) return "warning";
  return std::string(to_string(job.status));
}

class Scenario : public testing::TestWithParam<std::string> {
 protected:
  const fs::path dir_ = kScenarios / GetParam();
  const json expect_ = read_json(dir_ / "expect.json");

  engine::PipelineRequest request(const EngineHarness& harness) const {
    MemoryRepository repository;
    const auto text = read_file(dir_ / "ci.yml");
    auto planned = pipelines::make_plan("ci.yml", text.value_or(""), push_to_main(), repository, repository);
    if (!planned.plan) throw std::runtime_error("no plan: " + planned.why);
    auto request = harness.request(std::move(*planned.plan));
    pipelines::Plan& plan = request.plan;
    for (auto& job : plan.jobs) {
      if (job.start_in && expect_.contains("start_in_ms")) {
        job.start_in = std::chrono::milliseconds(expect_["start_in_ms"]);
      }
      if (job.timeout && expect_.contains("timeout_ms"))
        job.timeout = std::chrono::milliseconds(expect_["timeout_ms"]);
    }
    for (const std::string& name : names("select")) request.selection.push_back(plan.find(name).value());
    for (const std::string& name : names("play")) request.play.push_back(plan.find(name).value());
    return request;
  }

  const json& part(const char* key) const {
    static const json nothing = json::object();
    const auto found = expect_.find(key);
    return found == expect_.end() ? nothing : *found;
  }

  std::vector<std::string> names(const char* key) const {
    return expect_.value(key, std::vector<std::string>());
  }

  /// Acts of a person, when the observer sees a job in a status.
  void react(EngineHarness& harness) const {
    if (!expect_.contains("play_when")) return;
    const auto wanted = expect_["play_when"].get<std::map<std::string, std::string>>();
    harness.observer().on_change = [&harness, wanted](const engine::JobView& job) {
      const auto found = wanted.find(job.name);
      if (found == wanted.end() || found->second != to_string(job.status)) return;
      harness.engine().play(harness.pipeline(), job.index);
    };
  }

  engine::PipelineEnd run(EngineHarness& harness) const {
    auto wanted = request(harness);
    const pipelines::Plan plan = wanted.plan;
    react(harness);
    harness.adopt(harness.engine().create(std::move(wanted)));
    auto end = harness.engine().run(harness.pipeline());
    for (const std::string& name : names("play_after")) {
      harness.engine().play(harness.pipeline(), plan.find(name).value());
      end = harness.engine().run(harness.pipeline());
    }
    return end;
  }

  void check(EngineHarness& harness, const engine::PipelineEnd& end) const {
    EXPECT_EQ(to_string(end.status), expect_["status"].get<std::string>());
    EXPECT_EQ(end.warnings, expect_.value("warnings", false));
    for (const auto& [name, status] : expect_["jobs"].items()) {
      EXPECT_EQ(shown(harness.job(name)), status.get<std::string>()) << name << "\n" << harness.log(name);
    }
    for (const std::string& name : names("absent")) {
      EXPECT_ANY_THROW(harness.job(name));
    }
    for (const auto& [name, attempts] : part("attempts").items()) {
      EXPECT_EQ(harness.job(name).attempt, attempts.get<int>()) << name;
    }
    for (const auto& [name, code] : part("exit_codes").items()) {
      EXPECT_EQ(harness.job(name).exit_code, code.get<int>()) << name;
    }
    for (const auto& [name, reason] : part("failures").items()) {
      EXPECT_EQ(to_string(harness.job(name).failure.value()), reason.get<std::string>()) << name;
    }
    for (const auto& [name, there] : part("archives").items()) {
      EXPECT_EQ(harness.job(name).archive.has_value(), there.get<bool>()) << name;
    }
    check_logs(harness);
    EXPECT_THAT(harness.leftovers(), IsEmpty());
  }

  void check_logs(EngineHarness& harness) const {
    for (const auto& [name, texts] : part("log_has").items()) {
      for (const std::string& text : texts.get<std::vector<std::string>>())
        EXPECT_THAT(harness.log(name), HasSubstr(text));
    }
    for (const auto& [name, texts] : part("log_lacks").items()) {
      for (const std::string& text : texts.get<std::vector<std::string>>())
        EXPECT_THAT(harness.log(name), Not(HasSubstr(text)));
    }
    for (const auto& [name, texts] : part("log_once").items()) {
      const std::string log = harness.log(name);
      for (const std::string& text : texts.get<std::vector<std::string>>()) {
        const std::size_t first = log.find(text);
        EXPECT_NE(first, std::string::npos) << text << "\n" << log;
        EXPECT_EQ(first, log.rfind(text)) << text << "\n" << log;
      }
    }
    for (const auto& [name, statuses] : part("saw").items()) {
      const auto history = harness.observer().history(harness.job(name).index);
      for (const std::string& status : statuses.get<std::vector<std::string>>()) {
        EXPECT_THAT(history, testing::Contains(pipelines::parse_job_status(status).value())) << name;
      }
    }
  }

  void check_calls(const ScriptedExecutor& executor) const {
    std::vector<std::string> order;
    std::set<std::string> open;
    const std::vector<std::string> exclusive = names("alone");
    for (const std::string& call : executor.calls()) {
      const std::string job = call.substr(call.find(' ') + 1);
      if (call.starts_with("start ") && call.ends_with("/script"))
        order.push_back(job.substr(0, job.find('/')));
      if (std::find(exclusive.begin(), exclusive.end(), job) == exclusive.end()) continue;
      if (call.starts_with("prepare ")) {
        EXPECT_TRUE(open.insert(job).second);
        EXPECT_EQ(open.size(), 1U) << call;
      }
      if (call.starts_with("destroy ")) open.erase(job);
    }
    if (expect_.contains("order")) {
      EXPECT_EQ(order, names("order"));
    }
    if (expect_.contains("order_of")) {
      const auto wanted = names("order_of");
      std::erase_if(order, [&](const auto& job) {
        return std::find(wanted.begin(), wanted.end(), job) == wanted.end();
      });
      EXPECT_EQ(order, wanted);
    }
    std::map<std::string, std::vector<std::string>> steps;
    json environments = json::object();
    for (const executors::StepSpec& step : executor.started()) {
      const std::string& job = step.env.at("CI_JOB_NAME");
      steps[job].push_back(step.id.value);
      environments[job + "/" + step.id.value] = step.env;
    }
    for (const auto& [job, wanted] : part("steps").items()) {
      EXPECT_EQ(steps[job], wanted.get<std::vector<std::string>>()) << job;
    }
    for (const auto& [step, variables] : part("env").items()) {
      ASSERT_TRUE(environments.contains(step)) << step;
      for (const auto& [name, value] : variables.items()) {
        EXPECT_EQ(environments[step][name], value) << step;
      }
    }
    EXPECT_THAT(executor.violations(), IsEmpty());
    EXPECT_THAT(executor.living(), IsEmpty());
  }
};

/// Those that real shells can run as well.
class ShellScenario : public Scenario {};

std::vector<std::string> scenarios_of(bool shell) {
  std::vector<std::string> names = scenario_names();
  std::erase_if(names, [shell](const std::string& name) {
    const json how = read_json(kScenarios / name / "expect.json").value("shell", json(false));
    return shell ? how == false : how == "only";
  });
  return names;
}

INSTANTIATE_TEST_SUITE_P(All, Scenario, testing::ValuesIn(scenarios_of(false)),
                         [](const auto& name) { return name.param; });
INSTANTIATE_TEST_SUITE_P(All, ShellScenario, testing::ValuesIn(scenarios_of(true)),
                         [](const auto& name) { return name.param; });

TEST_P(Scenario, WithScriptedSteps) {
  ScriptedExecutor executor(scripted(read_json(dir_ / "script.json")));
  EngineHarness harness(executor);
  std::vector<std::thread> people;
  for (const char* key : {"cancel_when", "kill_when"}) {
    for (const auto& [name, status] : part(key).items()) {
      ASSERT_EQ(status, "running");
      people.emplace_back([&executor, &harness, job = name, kill = std::string_view(key) == "kill_when"] {
        executor.await_call("start " + job + "/script");
        kill ? harness.engine().kill(harness.pipeline()) : harness.engine().cancel(harness.pipeline());
      });
    }
  }
  const auto end = run(harness);
  for (std::thread& person : people) person.join();
  check(harness, end);
  check_calls(executor);
}

TEST_P(ShellScenario, WithRealShells) {
  executors::ShellExecutor executor(test_launcher());
  EngineHarness harness(executor);
  const auto end = run(harness);
  check(harness, end);
}

}  // namespace
}  // namespace runner::test
