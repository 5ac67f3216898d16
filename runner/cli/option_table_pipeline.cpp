// `runner pipeline ...` and `runner job ...`: what their commands take.

#include <array>

#include "runner/cli/option_table_client.h"

namespace runner::cli {
namespace {

constexpr std::string_view kWhich = "Which pipelines";
constexpr std::string_view kHow = "How";

constexpr std::array<OptionSpec, 9> kRunOptions{{
    kRefOption,
    {"--var", "K=V", kRunGroup, "set a variable, above those of the file; may be repeated", ""},
    {"--priority", "N", kHow,
     "of its jobs, from -100 to 100, among those of the project; default: that of the project. A higher one "
     "needs the role admin",
     ""},
    kWaitOption,
    kServerOption,
    kServerDataOption,
    kJsonOption,
    kNoColorOption,
    kHelpOption,
}};

constexpr std::array<OptionSpec, 9> kListOptions{{
    {"--ref", "REF", kWhich, "of this branch or tag", ""},
    {"--status", "STATUS", kWhich, "that are in this state, such as running or failed", ""},
    {"--limit", "N", kWhich, "the newest N; default: 20", ""},
    kServerOption,
    kServerDataOption,
    {"-q,--quiet", "", kOutputGroup, "print the ids only", ""},
    kJsonOption,
    kNoColorOption,
    kHelpOption,
}};

constexpr std::array<OptionSpec, 6> kLogOptions{{
    {"-f,--follow", "", kHow, "go on until the job has ended", ""},
    kServerOption,
    kServerDataOption,
    kJsonOption,
    kNoColorOption,
    kHelpOption,
}};

constexpr std::string_view kWatchText =
    "Shows the jobs of a pipeline until it has ended: a live line each on a terminal, otherwise a line for "
    "each\n"
    "change. With --json only the pipeline as it ended.\n"
    "\n"
    "Exit codes: 0 success (also when only manual jobs wait), 1 the pipeline failed or was canceled, or "
    "there is\n"
    "none, 2 the command line is wrong, 3 no server, no right to do this, or the machinery failed.";

constexpr std::string_view kRunText =
    "Starts a pipeline of a project on the server, and prints its id.\n"
    "\n"
    "Exit codes: 0 it was started; with --wait 0 success, 1 the pipeline failed or was canceled; 1 there is "
    "no such\n"
    "project, 2 the pipeline or the command line is invalid, 3 no server, no right to do this, or the "
    "machinery\n"
    "failed.";

constexpr std::string_view kRunExamples =
    "  runner pipeline run site --wait\n"
    "  runner pipeline run site --ref v1.2.0 --var TARGET=staging\n";

constexpr std::string_view kLogText =
    "Prints the log of a job. On a terminal its colours stay and the headers of its sections stand out; "
    "anywhere\n"
    "else it is plain text. With --follow a connection that breaks is taken up again where it was. --json: "
    "one\n"
    "object with the whole log in \"log\".";

constexpr std::string_view kLogExamples =
    "  runner job log 812 | less            what it printed\n"
    "  runner job log -f 812                and what it is going to print\n";

const std::array<CommandSpec, 6> kPipelineCommands{{
    {"pipeline run", "PROJECT [options]", "start a pipeline", kRunText, kRunExamples, "PROJECT", false,
     kRunOptions, nullptr},
    {"pipeline list", "[PROJECT] [options]", "list pipelines, newest first", kClientExitCodes, "", "PROJECT",
     false, kListOptions, nullptr},
    {"pipeline show", "ID [options]", "show a pipeline and its jobs", kClientExitCodes, "", "ID", false,
     kClientOptions, nullptr},
    {"pipeline watch", "ID [options]", "show a pipeline until it has ended", kWatchText, "", "ID", false,
     kClientOptions, nullptr},
    {"pipeline cancel", "ID [options]", "stop a pipeline", kClientExitCodes, "", "ID", false, kClientOptions,
     nullptr},
    {"pipeline retry", "ID [options]", "run its failed and canceled jobs again", kClientExitCodes, "", "ID",
     false, kClientOptions, nullptr},
}};

const std::array<CommandSpec, 5> kJobCommands{{
    {"job show", "ID [options]", "tell everything about a job", kClientExitCodes, "", "ID", false,
     kClientOptions, nullptr},
    {"job log", "ID [-f] [options]", "print the log of a job", kLogText, kLogExamples, "ID", false,
     kLogOptions, nullptr},
    {"job play", "ID [options]", "start a manual job", kClientExitCodes, "", "ID", false, kClientOptions,
     nullptr},
    {"job retry", "ID [options]", "run a job again", kClientExitCodes, "", "ID", false, kClientOptions,
     nullptr},
    {"job cancel", "ID [options]", "stop a job", kClientExitCodes, "", "ID", false, kClientOptions, nullptr},
}};

}  // namespace

std::span<const CommandSpec> pipeline_commands() {
  return kPipelineCommands;
}

std::span<const CommandSpec> job_commands() {
  return kJobCommands;
}

}  // namespace runner::cli
