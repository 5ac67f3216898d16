#include "runner/cli/report.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <nlohmann/json.hpp>

#include "runner/base/files.h"

namespace runner::cli {
namespace {

using engine::JobView;
using pipelines::JobStatus;

JobView job(std::size_t index, std::string name, JobStatus status, int attempt = 1) {
  JobView view;
  view.index = index;
  view.name = std::move(name);
  view.stage = "test";
  view.status = status;
  view.attempt = attempt;
  return view;
}

std::string written(const Outcome& outcome, const LogReader& log, bool details = false) {
  std::string out;
  JsonWriter json([&](std::string_view text) { out += text; });
  write_report(json, outcome, log, details);
  return out;
}

const LogReader kNoLog = [](std::size_t, const std::function<void(std::string_view)>&) {};

TEST(Report, HasTheDocumentedShape) {
  Outcome outcome;
  outcome.status = "failed";
  JobView failed = job(0, "a \"b\"", JobStatus::failed);
  failed.exit_code = 3;
  failed.started_at = TimePoint(std::chrono::milliseconds(1000));
  failed.finished_at = TimePoint(std::chrono::milliseconds(2250));
  outcome.jobs = {failed, job(1, "later", JobStatus::created, 0)};
  const LogReader log = [](std::size_t index, const std::function<void(std::string_view)>& sink) {
    EXPECT_EQ(index, 0U);
    sink("line\n\x1b[31mred\t");
    sink("\xc3");
    sink("\xa9 \xff end\n");
  };
  EXPECT_EQ(
      written(outcome, log),
      R"({"status":"failed","jobs":[{"name":"a \"b\"","stage":"test","status":"failed","allow_failure":false,)"
      R"("exit_code":3,"duration":1.25,"log":"line\n\u001b[31mred\u0009é )"
      "\xEF\xBF\xBD"
      R"( end\n"},{"name":"later","stage":"test","status":"skipped","allow_failure":false,"exit_code":null,)"
      R"("duration":0,"log":""}]})");
}

TEST(Report, EveryStatusHasItsWord) {
  const std::vector<std::pair<JobStatus, std::string>> words{
      {JobStatus::success, "success"},    {JobStatus::failed, "failed"},    {JobStatus::canceled, "canceled"},
      {JobStatus::canceling, "canceled"}, {JobStatus::skipped, "skipped"},  {JobStatus::manual, "manual"},
      {JobStatus::created, "skipped"},    {JobStatus::scheduled, "skipped"}};
  for (const auto& [status, word] : words) EXPECT_EQ(report_status(job(0, "x", status)), word);
  JobView allowed = job(0, "x", JobStatus::failed);
  allowed.allow_failure = true;
  EXPECT_EQ(report_status(allowed), "warning");
}

TEST(Report, ABlockedPipelineFailsOnlyWithAFailure) {
  const engine::PipelineEnd blocked{JobStatus::manual, false};
  EXPECT_EQ(report_status(blocked, {job(0, "a", JobStatus::success), job(1, "b", JobStatus::manual, 0)}),
            "success");
  EXPECT_EQ(report_status(blocked, {job(0, "a", JobStatus::failed), job(1, "b", JobStatus::manual, 0)}),
            "failed");
  EXPECT_EQ(report_status({JobStatus::canceled, false}, {}), "canceled");
}

TEST(Report, DetailsAreValidJsonToo) {
  Outcome outcome;
  JobView view = job(0, "pack", JobStatus::success);
  view.archive = engine::ArchiveView{"a", "/data/a.zip", "ab12", 12, 3};
  view.coverage = 93.456;
  outcome.jobs = {view};
  const auto json = nlohmann::json::parse(written(outcome, kNoLog, true));
  EXPECT_EQ(json["jobs"][0]["artifacts"]["path"], "/data/a.zip");
  EXPECT_DOUBLE_EQ(json["jobs"][0]["coverage"], 93.456);
  EXPECT_TRUE(json["jobs"][0]["tests_total"].is_null());
}

TEST(Report, TheFileIsReplacedAsAWhole) {
  const TempDir directory;
  const auto file = directory.path() / "report.json";
  write_file_atomic(file, "old", 0644, false);
  write_report_file(file, Outcome{}, kNoLog);
  EXPECT_EQ(read_file(file), "{\"status\":\"skipped\",\"jobs\":[]}\n");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory.path()), {}), 1);
}

TEST(Report, AnUnwritablePlaceIsNamed) {
  try {
    write_report_file("/nonexistent-directory/report.json", Outcome{}, kNoLog);
    FAIL() << "no error";
  } catch (const std::exception& error) {
    EXPECT_NE(std::string(error.what()).find("/nonexistent-directory/report.json"), std::string::npos)
        << error.what();
  }
}

TEST(JsonText, BrokenUtf8IsReplaced) {
  const auto text = [](std::string_view bytes) {
    std::string out;
    JsonWriter json([&](std::string_view part) { out += part; });
    json.value(bytes).flush();
    return nlohmann::json::parse(out).get<std::string>();
  };
  EXPECT_EQ(text("a\xed\xa0\x80z"), "a\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBDz");
  EXPECT_EQ(text("\xc0\x80"), "\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(text("cut \xf0\x9f\x98"), "cut \xEF\xBF\xBD");
  EXPECT_EQ(text(std::string_view("\0\x7f", 2)), std::string("\0\x7f", 2));
}

}  // namespace
}  // namespace runner::cli
