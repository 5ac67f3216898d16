#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "runner/base/text.h"
#include "runner/cli/commands.h"
#include "runner/cli/doctor_checks.h"
#include "runner/cli/environment.h"
#include "runner/cli/json_writer.h"
#include "runner/cli/screen.h"

namespace runner::cli {
namespace {

Tone tone_of(Health health) {
  switch (health) {
    case Health::ok:
      return Tone::green;
    case Health::warning:
      return Tone::yellow;
    case Health::problem:
      break;
  }
  return Tone::red;
}

// One line each, whatever a name holds.
std::string one_line(std::string_view text) {
  std::string line = to_utf8(text);
  for (char& c : line)
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = '?';
  return line;
}

void print_text(const std::vector<Finding>& findings, bool no_color) {
  const Screen screen = detect_screen(1, no_color);
  std::string out;
  for (const Finding& finding : findings) {
    out += paint(screen, tone_of(finding.health), pad(screen, to_string(finding.health), 8)) + " " +
           finding.topic + ": " + one_line(finding.text);
    if (!finding.mend.empty()) out += "; " + one_line(finding.mend);
    out += "\n";
  }
  std::fputs(out.c_str(), stdout);
}

void print_json(const std::vector<Finding>& findings, bool healthy) {
  JsonWriter json([](std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); });
  json.begin_object().member("healthy", healthy).key("findings").begin_array();
  for (const Finding& finding : findings) {
    json.begin_object().member("topic", finding.topic).member("health", to_string(finding.health));
    json.member("text", finding.text).key("mend");
    if (finding.mend.empty()) {
      json.null();
    } else {
      json.value(finding.mend);
    }
    json.end_object();
  }
  json.end_array().end_object().flush();
  std::fputs("\n", stdout);
}

}  // namespace

int run_doctor(const DoctorOptions& options) {
  const std::vector<Finding> findings = examine(data_directory(options.data));
  const bool healthy = std::none_of(findings.begin(), findings.end(),
                                    [](const Finding& finding) { return finding.health == Health::problem; });
  if (options.json) {
    print_json(findings, healthy);
  } else {
    print_text(findings, options.no_color);
  }
  return healthy ? exit_success : exit_failed;
}

}  // namespace runner::cli
