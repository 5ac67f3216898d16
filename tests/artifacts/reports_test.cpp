#include "artifacts/reports.h"

#include <gtest/gtest.h>

#include "runner/base/error.h"

namespace runner::artifacts {
namespace {

using Result = TestCase::Result;
using Variables = std::vector<std::pair<std::string, std::string>>;

TEST(Junit, ReadsSuitesCasesAndResults) {
  std::string error;
  const auto report = parse_junit(R"(<?xml version="1.0" encoding="UTF-8"?>
<testsuites>
  <testsuite name="outer">
    <testsuite name="inner">
      <testcase classname="c" name="ok &amp; &#228;" file="f.py" time="1,000.5"/>
    </testsuite>
    <testcase name="bad" time="0.5"><failure message="1 != 2">trace</failure></testcase>
    <testcase name="text"><failure>
      only text </failure><error message="later"/></testcase>
    <testcase name="broken" time="x"><system-out>noise</system-out><error type="E"/></testcase>
    <testcase name="not run" time="-1"><skipped/></testcase>
  </testsuite>
</testsuites>)",
                                  error);
  ASSERT_TRUE(report) << error;
  EXPECT_EQ(report->total, 5U);
  EXPECT_EQ(report->failed, 2U);
  EXPECT_EQ(report->errored, 1U);
  EXPECT_EQ(report->skipped, 1U);
  EXPECT_DOUBLE_EQ(report->seconds, 1001);
  ASSERT_EQ(report->cases.size(), 5U);
  EXPECT_EQ(report->cases[0].suite, "inner");
  EXPECT_EQ(report->cases[0].classname, "c");
  EXPECT_EQ(report->cases[0].name, "ok & \xC3\xA4");
  EXPECT_EQ(report->cases[0].file, "f.py");
  EXPECT_EQ(report->cases[0].result, Result::passed);
  EXPECT_EQ(report->cases[1].suite, "outer");
  EXPECT_EQ(report->cases[1].message, "1 != 2");
  EXPECT_EQ(report->cases[2].message, "only text");
  EXPECT_EQ(report->cases[2].result, Result::failed);
  EXPECT_EQ(report->cases[3].result, Result::errored);
  EXPECT_EQ(report->cases[4].result, Result::skipped);
}

TEST(Junit, SingleSuiteAndEmptyReportAreFine) {
  std::string error;
  EXPECT_EQ(parse_junit("<testsuite name='s'><testcase name='a'/></testsuite>", error)->total, 1U);
  EXPECT_EQ(parse_junit("<testsuites/>", error)->total, 0U);
}

TEST(Junit, BrokenXmlNamesTheLine) {
  std::string error;
  EXPECT_FALSE(parse_junit("<testsuites>\n<testcase>\n</testsuites>", error));
  EXPECT_EQ(error, "line 3: mismatched tag");
  EXPECT_FALSE(parse_junit("", error));
  EXPECT_EQ(error, "line 1: no element found");
  EXPECT_FALSE(parse_junit("<html/>", error));
  EXPECT_EQ(error, "it is no JUnit report: the root element is 'html'");
  EXPECT_FALSE(parse_junit("<testsuites>\xff</testsuites>", error));
}

TEST(Junit, EntitiesAreRefused) {
  std::string laughs = "<!DOCTYPE x [<!ENTITY a0 'ha'>";
  for (int i = 1; i < 30; ++i) {
    const std::string before = "&a" + std::to_string(i - 1) + ";";
    laughs += "<!ENTITY a" + std::to_string(i) + " '" + before + before + before + before + "'>";
  }
  laughs += "]><testsuites><testcase name='&a29;'/>&a29;</testsuites>";
  std::string error;
  EXPECT_FALSE(parse_junit(laughs, error));
  EXPECT_EQ(error, "line 1: entity declarations are not accepted");
  EXPECT_FALSE(parse_junit(
      "<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]><testsuites>&e;</testsuites>", error));
}

TEST(Junit, HostileSizesStayBounded) {
  std::string deep = "<testsuites>";
  for (int i = 0; i < 100000; ++i) deep += "<testsuite>";
  std::string error;
  EXPECT_FALSE(parse_junit(deep, error));
  const auto report = parse_junit("<testsuites><testcase name='a'><failure>" + std::string(5U << 20U, 'x') +
                                      "</failure></testcase></testsuites>",
                                  error);
  ASSERT_TRUE(report) << error;
  EXPECT_LT(report->cases[0].message.size(), 1100U);
}

TEST(Dotenv, ReadsLiteralValues) {
  const std::vector<std::pair<std::string, Variables>> cases = {
      {"", {}},
      {"A=1", {{"A", "1"}}},
      {"A=1\nB=2\n", {{"A", "1"}, {"B", "2"}}},
      {"A=\"x y\"\n", {{"A", "\"x y\""}}},
      {"A=b=c # d\\n $X\n", {{"A", "b=c # d\\n $X"}}},
      {"  A \t=  v  \r\n", {{"A", "v"}}},
      {"A=\n", {{"A", ""}}},
      {"A=1\nB=2\nA=3\n", {{"A", "3"}, {"B", "2"}}},
      {"\xEF\xBB\xBF"
       "A=1\n",
       {{"A", "1"}}},
      {"A=\xff\xC3\xA4\xED\xA0\x80\n", {{"A", "\xEF\xBF\xBD\xC3\xA4\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"}}},
      {"1_a=x", {{"1_a", "x"}}},
      {std::string(255, 'K') + "=v", {{std::string(255, 'K'), "v"}}},
  };
  for (const auto& [text, variables] : cases) {
    std::string error;
    EXPECT_EQ(parse_dotenv(text, error), variables) << text << error;
  }
}

TEST(Dotenv, BadLinesAreNamed) {
  std::string many;
  for (int i = 0; i <= 500; ++i) many += "V" + std::to_string(i) + "=x\n";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"A=1\nB=2\nC\n", "line 3 has no '='"},
      {"A=1\n\nB=2\n", "line 2 has no '='"},
      {"A=1\n\n", "line 2 has no '='"},
      {"\n", "line 1 has no '='"},
      {"# comment\n", "line 1 has no '='"},
      {"# A=1\n", "invalid name on line 1"},
      {"A=1\nexport B=2\n", "invalid name on line 2"},
      {"=x\n", "invalid name on line 1"},
      {"a-b=x\n", "invalid name on line 1"},
      {"\xC3\xA4=x\n", "invalid name on line 1"},
      {std::string(256, 'K') + "=v", "invalid name on line 1"},
      {many, "it has more than 500 variables"},
      {"A=" + std::string(70000, 'x'), "it is larger than 64.0 KiB"},
  };
  for (const auto& [text, message] : cases) {
    std::string error;
    EXPECT_FALSE(parse_dotenv(text, error)) << text.substr(0, 40);
    EXPECT_EQ(error, message);
  }
}

std::optional<double> scan(std::string_view pattern, std::string_view log, std::size_t piece = 1) {
  CoverageScanner scanner(pattern);
  for (std::size_t at = 0; at < log.size(); at += piece) scanner.feed(log.substr(at, piece));
  return scanner.result();
}

TEST(Coverage, LastLineLastMatchFirstNumber) {
  struct Case {
    std::string pattern, log;
    std::optional<double> value;
  };
  for (const Case& c :
       std::vector<Case>{{R"(Coverage: \d+\.\d+)", "Coverage: 10.5\nCoverage: 20.25%\nend\n", 20.25},
                         {R"(\d+%)", "10% and 20%\n", 20},
                         {R"(TOTAL.*\d+%)", "TOTAL 100 20 80%\n", 100},
                         {R"(cov=\d+)", "cov=7", 7},
                         {R"(cov \d+)", "\x1b[32mcov \x1b[1m85\x1b[0m\n", 85},
                         {R"((?i)cover(age)?: \d+)", "COVER: 12\n", 12},
                         {R"(^\d+$)", "12\n34 x\n", 12},
                         {".*", "lines 98.6 percent\n", 98.6},
                         {"covered", "covered 5\n", std::nullopt},
                         {"covered|done 7", "done 7\ncovered 5\n", 7},
                         {R"(\d+)", "1.\n", 1},
                         {"x", "", std::nullopt},
                         {"none", "something 5\n", std::nullopt}}) {
    EXPECT_EQ(scan(c.pattern, c.log), c.value) << c.pattern;
    EXPECT_EQ(scan(c.pattern, c.log, 1000), c.value) << c.pattern;
  }
}

TEST(Coverage, HostileLogsStayBounded) {
  EXPECT_EQ(scan("(x.*y)|x", std::string(1U << 18U, 'x'), 4096), std::nullopt);
  EXPECT_EQ(scan("c=[0-9]+", std::string(3U << 20U, '\x1b') + "\nc=5\n", 4096), 5);
  EXPECT_THROW(CoverageScanner("("), Error);
}

TEST(Coverage, ReadsReports) {
  std::string error;
  EXPECT_DOUBLE_EQ(
      *parse_coverage_report("cobertura",
                             "<?xml version='1.0'?><!DOCTYPE coverage SYSTEM "
                             "'http://cobertura.sourceforge.net/xml/coverage-04.dtd'>"
                             "<coverage line-rate='0.5'><packages><package line-rate='1'/></packages>"
                             "</coverage>",
                             error),
      50);
  EXPECT_DOUBLE_EQ(*parse_coverage_report("jacoco",
                                          "<!DOCTYPE report PUBLIC '-//JACOCO//DTD' 'report.dtd'><report>"
                                          "<package><counter type='LINE' missed='9' covered='1'/></package>"
                                          "<counter type='BRANCH' missed='1' covered='0'/>"
                                          "<counter type='LINE' missed='1' covered='3'/></report>",
                                          error),
                   75);
  const std::vector<std::vector<std::string>> bad = {
      {"cobertura", "<report/>", "it is no cobertura report: the root element is not 'coverage'"},
      {"cobertura", "<coverage/>", "the root element has no 'line-rate'"},
      {"jacoco", "<report><counter type='LINE' missed='0' covered='0'/></report>",
       "it has no counter of lines"},
      {"jacoco", "<coverage/>", "it is no jacoco report: the root element is not 'report'"},
      {"jacoco", "<report>", "line 1: no element found"},
      {"lcov", "", "unknown coverage format 'lcov'; known are cobertura and jacoco"}};
  for (const auto& c : bad) {
    EXPECT_FALSE(parse_coverage_report(c[0], c[1], error));
    EXPECT_EQ(error, c[2]);
  }
}

}  // namespace
}  // namespace runner::artifacts
