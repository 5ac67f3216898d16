#include "runner/cli/version.h"

#include <fmt/core.h>

#include <cstdio>
#include <string>

#include "runner/cli/commands.h"
#include "runner/cli/json_writer.h"

namespace runner::cli {
namespace {

std::string compiler() {
#ifdef __clang__
  return "clang " + std::to_string(__clang_major__) + "." + std::to_string(__clang_minor__);
#else
  return "g++ " + std::to_string(__GNUC__) + "." + std::to_string(__GNUC_MINOR__);
#endif
}

}  // namespace

std::string program_version() {
  return RUNNER_VERSION;
}

std::string program_commit() {
  return RUNNER_COMMIT;
}

int run_version(const VersionOptions& options) {
  const std::string commit = RUNNER_COMMIT;
  std::string out;
  if (options.json) {
    JsonWriter json([&](std::string_view text) { out += text; });
    json.begin_object().member("name", "runner").member("version", RUNNER_VERSION);
    json.member("commit", commit.empty() ? std::optional<std::string>() : std::optional(commit));
    json.member("compiler", compiler()).end_object();
    json.flush();
    out += "\n";
  } else {
    out = fmt::format("runner {}{} ({})\n", RUNNER_VERSION, commit.empty() ? "" : ", commit " + commit,
                      compiler());
  }
  std::fputs(out.c_str(), stdout);
  return exit_success;
}

}  // namespace runner::cli
