#include "runner/cli/environment.h"

#include <unistd.h>

#include <cstdlib>
#include <string_view>

#include "runner/base/error.h"

namespace runner::cli {
namespace {

bool is_passed_on(std::string_view name) {
  if (name.empty() || name == "CI" || name == "BASH_ENV" || name == "ENV") return false;
  for (const std::string_view prefix : {"CI_", "GITLAB_", "RUNNER_", "GIT_", "BASH_FUNC_"}) {
    if (name.starts_with(prefix)) return false;
  }
  // What a shell could not have set itself it cannot unset either.
  return name.find_first_of("%()") == std::string_view::npos;
}

std::string value_of(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

}  // namespace

std::map<std::string, std::string> base_environment(const char* const* environ) {
  std::map<std::string, std::string> out;
  for (; environ != nullptr && *environ != nullptr; ++environ) {
    const std::string_view entry = *environ;
    const std::size_t equals = entry.find('=');
    if (equals == std::string_view::npos || !is_passed_on(entry.substr(0, equals))) continue;
    out.emplace(entry.substr(0, equals), entry.substr(equals + 1));
  }
  return out;
}

std::filesystem::path data_directory(const std::filesystem::path& option) {
  if (!option.empty()) return std::filesystem::absolute(option);
  if (const std::string named = value_of("RUNNER_DATA"); !named.empty())
    return std::filesystem::absolute(named);
  // The base directory specification says to ignore relative ones.
  if (const std::string xdg = value_of("XDG_DATA_HOME"); xdg.starts_with('/')) {
    return std::filesystem::path(xdg) / "runner";
  }
  if (::geteuid() == 0) return "/var/lib/runner";
  const std::string home = value_of("HOME");
  if (!home.starts_with('/')) {
    throw Error(ErrorCode::invalid_input,
                "there is no home directory for the data; name one by --data or RUNNER_DATA");
  }
  return std::filesystem::path(home) / ".local" / "share" / "runner";
}

}  // namespace runner::cli
