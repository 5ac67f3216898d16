#include "runner/cli/messages.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>

#include "runner/base/error.h"

namespace runner::cli {

void print_error(std::string_view message, std::string_view help) {
  std::string text = "runner: error: " + std::string(message) + "\n";
  if (!help.empty()) text += "  help: " + std::string(help) + "\n";
  std::fputs(text.c_str(), stderr);
}

void print_notice(std::string_view message) {
  std::fputs(("runner: " + std::string(message) + "\n").c_str(), stderr);
}

void print_diagnostics(const pipelines::PlanResult& result, bool no_color, bool warnings) {
  std::vector<pipelines::Diagnostic> found = result.diagnostics.sorted();
  if (!warnings) {
    const auto keep = [](const pipelines::Diagnostic& one) {
      return one.severity != pipelines::Severity::error;
    };
    found.erase(std::remove_if(found.begin(), found.end(), keep), found.end());
  }
  if (found.empty()) return;
  pipelines::RenderOptions options;
  options.color = detect_screen(STDERR_FILENO, no_color).color;
  const pipelines::Sources none;
  std::fputs(pipelines::render(found, result.sources ? *result.sources : none, options).c_str(), stderr);
}

void enter_directory(const std::filesystem::path& directory) {
  if (directory.empty() || ::chdir(directory.c_str()) == 0) return;
  throw Error(ErrorCode::invalid_input, "cannot go to '" + directory.string() + "': " + std::strerror(errno));
}

}  // namespace runner::cli
