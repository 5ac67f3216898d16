// Plans every case of cases/*.txt. A case is
//   === name
//   facts, one a line: "tag v1", "merge_request", "source web", "changed a b", "tracked a b", "since ref a
//   b", "var NAME value" (a pipeline variable), "project NAME value", "message text"
//   ---
//   the file
//   --->
//   the outline that is expected, and lines "NAME of JOB = value" for variables at job time

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <vector>

#include "pipelines/job_variables.h"
#include "runner/base/files.h"
#include "runner/base/text.h"
#include "tests/pipelines/planning_support.h"
#include "tests/support/source_dir.h"

namespace runner::pipelines {
namespace {

std::vector<std::string> words_of(std::string_view line) {
  std::vector<std::string> words;
  for (std::string_view word : split_words(line)) words.emplace_back(word);
  return words;
}

void apply(std::string_view line, PlanWorld& world) {
  std::vector<std::string> words = words_of(line);
  if (words.empty()) return;
  const std::string key = words.front();
  words.erase(words.begin());
  if (key == "tag" || key == "branch") {
    world.facts.ref_kind = key == "tag" ? RefKind::tag : RefKind::branch;
    world.facts.ref_name = words.at(0);
  } else if (key == "merge_request") {
    world.facts.ref_kind = RefKind::merge_request;
    world.facts.source = "merge_request_event";
  } else if (key == "source") {
    world.facts.source = words.at(0);
  } else if (key == "changed") {
    world.repository.changed = words;
  } else if (key == "tracked") {
    world.repository.tracked = words;
  } else if (key == "since") {
    world.repository.since[words.at(0)] = std::vector<std::string>(words.begin() + 1, words.end());
  } else if (key == "message") {
    world.facts.commit_message = trim(line.substr(key.size()));
  } else if (key == "var" || key == "project") {
    Variable variable;
    variable.name = words.at(0);
    variable.value = words.size() > 1 ? words[1] : "";
    variable.source = key == "var" ? VariableSource::pipeline : VariableSource::project;
    if (words.size() > 2) variable.environment_scope = words[2];
    world.facts.variables.push_back(variable);
  } else if (key == "user") {
    world.facts.user_id = 1;
    world.facts.user_login = words.at(0);
  } else {
    FAIL() << "unknown fact: " << line;
  }
}

/// "NAME of JOB" at job time.
std::string variable_of(const PlanResult& result, std::string_view question) {
  const std::size_t of = question.find(" of ");
  if (!result.plan || of == std::string_view::npos) return "?";
  const auto job = result.plan->find(question.substr(of + 4));
  if (!job) return "no such job";
  const VariableSet set = job_variables(*result.plan, result.plan->jobs[*job], {});
  const auto values = set.expand_all();
  const auto value = values.find(std::string(question.substr(0, of)));
  return value == values.end() ? "unset" : "'" + value->second + "'";
}

void check(const std::string& text) {
  PlanWorld world;
  std::string yaml, expected, name;
  enum { facts, file, result } part = facts;
  std::vector<std::string> questions;
  for (std::string_view line : split(text, '\n')) {
    if (name.empty()) {
      name = line;
    } else if (line == "---") {
      part = file;
    } else if (line == "--->") {
      part = result;
    } else if (part == facts) {
      apply(line, world);
    } else if (part == file) {
      yaml.append(line).append("\n");
    } else if (line.find(" = ") != std::string_view::npos) {
      questions.emplace_back(line);
    } else if (!line.empty()) {
      expected.append(line).append("\n");
    }
  }
  ASSERT_EQ(part, result) << name;
  const PlanResult plan = world.plan(yaml);
  if (!expected.empty()) {
    EXPECT_EQ(outline(plan), expected) << name << "\n" << render(plan.diagnostics.sorted(), *plan.sources);
  }
  for (const std::string& question : questions) {
    const std::size_t equal = question.find(" = ");
    EXPECT_EQ(variable_of(plan, question.substr(0, equal)), question.substr(equal + 3))
        << name << ": " << question;
  }
}

TEST(PlanCases, EveryCaseIsPlannedAsWritten) {
  std::size_t count = 0;
  const auto folder = test::source_dir() / "tests/pipelines/cases";
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string all = "\n" + read_file(entry.path()).value();
    std::size_t at = all.find("\n=== ");
    while (at != std::string::npos) {
      const std::size_t next = all.find("\n=== ", at + 5);
      check(all.substr(at + 5, next == std::string::npos ? next : next - at - 4));
      ++count;
      at = next;
    }
  }
  EXPECT_GT(count, 50U);
}

}  // namespace
}  // namespace runner::pipelines
