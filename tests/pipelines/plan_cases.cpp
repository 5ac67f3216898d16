#include "tests/pipelines/plan_cases.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "runner/base/files.h"
#include "runner/base/text.h"
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

PlanCase read_case(const std::string& text) {
  PlanCase out;
  enum { facts, file, result } part = facts;
  for (std::string_view line : split(text, '\n')) {
    if (out.name.empty()) {
      out.name = line;
    } else if (line == "---") {
      part = file;
    } else if (line == "--->") {
      part = result;
    } else if (part == facts) {
      apply(line, out.world);
    } else if (part == file) {
      out.yaml.append(line).append("\n");
    } else if (line.find(" = ") != std::string_view::npos) {
      out.questions.emplace_back(line);
    } else if (!line.empty()) {
      out.expected.append(line).append("\n");
    }
  }
  EXPECT_EQ(part, result) << out.name;
  return out;
}

}  // namespace

std::vector<PlanCase> plan_cases() {
  std::vector<PlanCase> cases;
  const auto folder = test::source_dir() / "tests/pipelines/cases";
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string all = "\n" + read_file(entry.path()).value();
    std::size_t at = all.find("\n=== ");
    while (at != std::string::npos) {
      const std::size_t next = all.find("\n=== ", at + 5);
      cases.push_back(read_case(all.substr(at + 5, next == std::string::npos ? next : next - at - 4)));
      at = next;
    }
  }
  return cases;
}

std::vector<std::filesystem::path> golden_plan_files() {
  std::vector<std::filesystem::path> files;
  const auto folder = test::source_dir() / "tests/pipelines/golden";
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".yml" && entry.path().filename().string().starts_with("plan_"))
      files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace runner::pipelines
