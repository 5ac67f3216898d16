#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>

#include "runner/base/error.h"
#include "runner/base/text.h"
#include "runner/cli/client_desk.h"
#include "runner/cli/commands.h"
#include "runner/cli/messages.h"

namespace runner::cli {
namespace {

struct Dispatch {
  int operator()(const ExecOptions& options) const { return run_exec(options); }
  int operator()(const ServeOptions& options) const { return run_serve(options); }
  int operator()(const LintOptions& options) const { return run_lint(options); }
  int operator()(const CacheOptions& options) const { return run_cache(options); }
  int operator()(const CacheTransferOptions& options) const { return run_cache_transfer(options); }
  int operator()(const ArtifactOptions& options) const { return run_artifact(options); }
  int operator()(const ProjectOptions& options) const { return run_project(options); }
  int operator()(const PipelineOptions& options) const { return run_pipeline(options); }
  int operator()(const ScheduleOptions& options) const { return run_schedule(options); }
  int operator()(const VariableOptions& options) const { return run_variable(options); }
  int operator()(const AuditOptions& options) const { return run_audit(options); }
  int operator()(const KeyOptions& options) const { return run_keys(options); }
  int operator()(const RemoteJobOptions& options) const { return run_remote_job(options); }
  int operator()(const AccountOptions& options) const { return run_account(options); }
  int operator()(const EnvironmentOptions& options) const { return run_environment(options); }
  int operator()(const DeployOptions& options) const { return run_deploy(options); }
  int operator()(const DoctorOptions& options) const { return run_doctor(options); }
  int operator()(const VersionOptions& options) const { return run_version(options); }
  int operator()(const CompletionOptions& options) const { return run_completion(options); }
  int operator()(const HelpText& help) const {
    std::fputs(help.text.c_str(), stdout);
    return exit_success;
  }
  int operator()(const UsageError& error) const {
    print_error(error.message, error.help);
    return exit_usage;
  }
};

}  // namespace

int run(int argc, const char* const* argv) {
  try {
    const int code = std::visit(Dispatch{}, parse_command_line(argc, argv));
    // A full disk behind standard output must not look like success.
    if (std::fflush(stdout) != 0 && code == exit_success) {
      print_error("cannot write to standard output");
      return exit_machinery;
    }
    return code;
  } catch (const Refused& refused) {
    std::fflush(stdout);
    print_error(refused.what(), refused.help());
    return refused.exit_code();
  } catch (const Error& error) {
    print_error(error.what());
    return error.code() == ErrorCode::invalid_input ? exit_usage : exit_machinery;
  } catch (const std::filesystem::filesystem_error& error) {
    const std::string path = error.path1().empty() ? std::string() : in_quotes(error.path1().native()) + ": ";
    print_error("cannot use " + path + error.code().message(),
                error.code() == std::errc::permission_denied
                    ? "let this user use it, or choose another data directory with --data"
                    : "");
    return exit_machinery;
  } catch (const std::exception& error) {
    print_error(error.what());
    return exit_machinery;
  }
}

}  // namespace runner::cli
