// Files with one line spoiled: every one of them ends in a plan, in no pipeline, or in errors that say where.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <random>

#include "runner/base/files.h"
#include "runner/base/text.h"
#include "tests/pipelines/planning_support.h"
#include "tests/support/source_dir.h"

namespace runner::pipelines {
namespace {

using Lines = std::vector<std::string>;

/// What may take the place of a value: the wrong type, mostly.
constexpr std::array<std::string_view, 17> kValues = {"7",
                                                      "-1",
                                                      "true",
                                                      "null",
                                                      "''",
                                                      "[]",
                                                      "{}",
                                                      "[[a]]",
                                                      "{a: b}",
                                                      "[{}]",
                                                      "[null]",
                                                      "1.5",
                                                      "$X",
                                                      "*nowhere",
                                                      "!reference [a]",
                                                      "[1, {b: [c]}]",
                                                      "\"$[[ inputs.x ]]\""};

void spoil(Lines& lines, std::mt19937& random) {
  const auto pick = [&](std::size_t size) {
    return std::uniform_int_distribution<std::size_t>(0, size - 1)(random);
  };
  const std::size_t at = pick(lines.size());
  std::string& line = lines[at];
  const std::size_t colon = line.find(": ");
  switch (pick(8)) {
    case 0:
      lines.erase(lines.begin() + static_cast<std::ptrdiff_t>(at));
      break;
    case 1:
      std::swap(line, lines[pick(lines.size())]);
      break;
    case 2:
      lines.insert(lines.begin() + static_cast<std::ptrdiff_t>(pick(lines.size())), std::string(line));
      break;
    case 3:
      line.insert(0, pick(2) == 0 ? " " : "\t");
      break;
    case 4:
      if (!line.empty()) line.erase(pick(line.size()), 1);
      break;
    case 5:
      if (!line.empty()) line[pick(line.size())] = static_cast<char>(pick(256));
      break;
    default:
      if (colon != std::string::npos)
        line.replace(colon + 2, std::string::npos, kValues[pick(kValues.size())]);
      break;
  }
}

std::string joined(const Lines& lines) {
  std::string text;
  for (const std::string& line : lines) text.append(line).append(1, '\n');
  return text;
}

void check(const std::string& text) {
  PlanWorld world;
  const PlanResult result = world.plan(text);
  ASSERT_EQ(result.outcome == PlanOutcome::invalid, result.diagnostics.has_errors()) << text;
  ASSERT_EQ(result.outcome == PlanOutcome::planned, result.plan.has_value()) << text;
  for (const Diagnostic& one : result.diagnostics.all()) {
    ASSERT_TRUE(one.where.known()) << one.id << ": " << one.message << "\n" << text;
    ASSERT_GT(one.where.line, 0U) << one.id << "\n" << text;
    ASSERT_FALSE(one.message.empty()) << one.id;
  }
  ASSERT_FALSE(result.diagnostics.has_errors() &&
               render(result.diagnostics.sorted(), *result.sources).empty());
}

TEST(Mutation, SpoiledFilesEndInAPlanOrInErrorsWithAPlace) {
  std::mt19937 random(2026);  // the same files in every run
  const auto folder = test::source_dir() / "tests/pipelines/golden";
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder))
    if (entry.path().extension() == ".yml") files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  ASSERT_GT(files.size(), 30U);
  for (const auto& file : files) {
    const std::string text = read_file(file).value();
    Lines original;
    for (std::string_view line : split(text, '\n')) original.emplace_back(line);
    for (int round = 0; round < 40; ++round) {
      Lines lines = original;
      for (int i = 0; i <= round % 3 && !lines.empty(); ++i) spoil(lines, random);
      check(joined(lines));
      if (HasFatalFailure()) FAIL() << file;
    }
  }
}

}  // namespace
}  // namespace runner::pipelines
