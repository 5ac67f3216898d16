#include <utility>

#include "artifacts/reports.h"
#include "artifacts/xml_reader.h"
#include "runner/base/text.h"

namespace runner::artifacts {
namespace {

constexpr std::size_t kLongestMessage = 1000;

/// At most kLongestMessage bytes, not cut inside a character.
std::string shorten(std::string_view text) {
  text = trim(text);
  if (text.size() <= kLongestMessage) return std::string(text);
  std::size_t end = kLongestMessage;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U) --end;
  return std::string(text.substr(0, end)) + "...";
}

class JunitReader {
 public:
  std::optional<TestReport> read(std::string_view xml, std::string& error) {
    XmlEvents events;
    events.start = [this](std::string_view name, const XmlAttributes& attributes) {
      start(name, attributes);
    };
    events.end = [this](std::string_view name) { end(name); };
    events.text = [this](std::string_view text) {
      if (in_result_ && text_.size() <= 2 * kLongestMessage) text_ += text.substr(0, 2 * kLongestMessage);
    };
    if (!read_xml(xml, events, error)) return std::nullopt;
    if (root_ != "testsuites" && root_ != "testsuite") {
      error = "it is no JUnit report: the root element is '" + shorten(root_) + "'";
      return std::nullopt;
    }
    return std::move(report_);
  }

 private:
  void start(std::string_view name, const XmlAttributes& attributes) {
    if (root_.empty()) root_ = name;
    if (name == "testsuite") {
      suites_.push_back(attributes.text("name"));
    } else if (name == "testcase" && !in_case_) {
      in_case_ = true;
      current_ = TestCase();
      current_.suite = suites_.empty() ? std::string() : suites_.back();
      current_.classname = attributes.text("classname");
      current_.name = attributes.text("name");
      current_.file = attributes.text("file");
      current_.seconds = parse_decimal(attributes.find("time").value_or("")).value_or(0);
    } else if (in_case_ && !in_result_ && current_.result == TestCase::Result::passed) {
      if (name == "failure") start_result(TestCase::Result::failed, attributes);
      if (name == "error") start_result(TestCase::Result::errored, attributes);
      if (name == "skipped") start_result(TestCase::Result::skipped, attributes);
    }
  }

  void start_result(TestCase::Result result, const XmlAttributes& attributes) {
    in_result_ = true;
    text_.clear();
    current_.result = result;
    current_.message = shorten(attributes.find("message").value_or(""));
  }

  void end(std::string_view name) {
    if (name == "testsuite" && !suites_.empty()) suites_.pop_back();
    if (in_result_ && (name == "failure" || name == "error" || name == "skipped")) {
      in_result_ = false;
      if (current_.message.empty()) current_.message = shorten(text_);
    }
    if (name == "testcase" && in_case_) finish_case();
  }

  void finish_case() {
    in_case_ = in_result_ = false;
    ++report_.total;
    report_.seconds += current_.seconds;
    if (current_.result == TestCase::Result::failed) ++report_.failed;
    if (current_.result == TestCase::Result::errored) ++report_.errored;
    if (current_.result == TestCase::Result::skipped) ++report_.skipped;
    report_.cases.push_back(std::move(current_));
  }

  TestReport report_;
  std::string root_;
  std::vector<std::string> suites_;
  TestCase current_;
  std::string text_;
  bool in_case_ = false;
  bool in_result_ = false;
};

}  // namespace

std::optional<TestReport> parse_junit(std::string_view xml, std::string& error) {
  return JunitReader().read(xml, error);
}

}  // namespace runner::artifacts
