#include "runner/storage/status_report_table.h"

#include "runner/storage/project_table.h"
#include "tests/storage/store_kinds.h"

namespace runner::storage {
namespace {

class StatusReportTable : public EachStore {};

INSTANTIATE_TEST_SUITE_P(Kinds, StatusReportTable, testing::ValuesIn(store_kinds()), kind_name);

TEST_P(StatusReportTable, KeepsTheLastOfEachAndGoesWithItsProject) {
  const std::int64_t project = new_project();
  write([&](Tx& tx) {
    StatusReports reports(tx);
    EXPECT_FALSE(reports.of_project(project).delivered_at);
    reports.failed(project, at(5), std::string(9000, 'x'));
    EXPECT_LE(reports.of_project(project).failure.size(), 4096U);
    reports.failed(project, at(6), "HTTP 401");
    EXPECT_EQ(reports.of_project(project).failure, "HTTP 401");
    reports.delivered(project, at(7));
    const StatusReport report = reports.of_project(project);
    EXPECT_EQ(report.failure, "");
    EXPECT_EQ(report.failed_at, at(6));
    EXPECT_EQ(report.delivered_at, at(7));
    EXPECT_TRUE(Projects(tx).remove(project));
    reports.failed(project, at(8), "too late");
    reports.delivered(project, at(8));
  });
  EXPECT_EQ(count("status_reports"), 0);
}

}  // namespace
}  // namespace runner::storage
