// `runner schedule ...`: what its commands take.

#include <array>

#include "runner/cli/option_table_client.h"

namespace runner::cli {
namespace {

constexpr std::string_view kWhen = "When";

constexpr OptionSpec kCron{"--cron", "TIMES", kWhen,
                           "minute, hour, day of month, month, day of week, such as '30 4 * * mon-fri'; also "
                           "@hourly, @daily, @weekly, @monthly",
                           ""};
constexpr OptionSpec kTimezone{"--timezone", "ZONE", kWhen, "such as Europe/Zurich; default: UTC", ""};
constexpr OptionSpec kEnable{"--enable", "", kWhen, "let it come", ""};
constexpr OptionSpec kDisable{"--disable", "", kWhen, "keep it, but let it not come", ""};
constexpr OptionSpec kVariable{
    "--var", "K=V", kRunGroup,
    "a variable of its pipelines; may be repeated. Nobody is shown its value again", ""};
constexpr OptionSpec kDescription{"--description", "TEXT", kRunGroup, "what it is for", ""};

constexpr std::array<OptionSpec, 12> kAddOptions{{
    kCron,
    kTimezone,
    kEnable,
    kDisable,
    kRefOption,
    kVariable,
    kDescription,
    kServerOption,
    kServerDataOption,
    kJsonOption,
    kNoColorOption,
    kHelpOption,
}};

constexpr std::array<OptionSpec, 13> kEditOptions{{
    kCron,
    kTimezone,
    kEnable,
    kDisable,
    kRefOption,
    {"--var", "K=V", kRunGroup, "take these in place of all variables it had; may be repeated", ""},
    {"--no-vars", "", kRunGroup, "forget its variables", ""},
    kDescription,
    kServerOption,
    kServerDataOption,
    kJsonOption,
    kNoColorOption,
    kHelpOption,
}};

constexpr std::array<OptionSpec, 6> kListOptions{{
    kServerOption,
    kServerDataOption,
    {"-q,--quiet", "", kOutputGroup, "print the ids only", ""},
    kJsonOption,
    kNoColorOption,
    kHelpOption,
}};

constexpr std::array<OptionSpec, 6> kRunOptions{{
    kWaitOption,
    kServerOption,
    kServerDataOption,
    kJsonOption,
    kNoColorOption,
    kHelpOption,
}};

constexpr std::string_view kListText =
    "Lists the schedules of a project, or of all, with their next and last run in the local time of this "
    "machine.\n"
    "One that is 'failing' could not be run and is tried again; 'runner schedule show' says why.\n"
    "\n"
    "Exit codes: 0 done, 1 the server refused (there is no such thing, or not now), 2 the command line or a "
    "value\n"
    "is wrong, 3 no server, no right to do this, or the machinery failed.";

constexpr std::string_view kRunText =
    "Makes the pipeline of a schedule now, beside its times, and prints its id.\n"
    "\n"
    "Exit codes: 0 it was started; with --wait 0 success, 1 the pipeline failed or was canceled; 1 there is "
    "no such\n"
    "schedule, 2 the pipeline or the command line is invalid, 3 no server, no right to do this, or the "
    "machinery\n"
    "failed.";

constexpr std::string_view kAddExamples =
    "  runner schedule add shop --cron '0 3 * * *' --timezone Europe/Zurich --description nightly\n"
    "  runner schedule add shop --cron @weekly --ref main --var FULL=1\n";

constexpr std::string_view kEditExamples =
    "  runner schedule edit 3 --cron '0 4 * * *'\n"
    "  runner schedule edit 3 --disable\n";

const std::array<CommandSpec, 6> kCommands{{
    {"schedule list", "[PROJECT] [options]", "list schedules with their next run", kListText, "", "PROJECT",
     false, kListOptions, nullptr},
    {"schedule add", "PROJECT --cron TIMES [options]", "let pipelines start by the clock", kClientExitCodes,
     kAddExamples, "PROJECT", false, kAddOptions, nullptr},
    {"schedule show", "ID [options]", "tell everything about one", kClientExitCodes, "", "ID", false,
     kClientOptions, nullptr},
    {"schedule edit", "ID [options]", "change one", kClientExitCodes, kEditExamples, "ID", false,
     kEditOptions, nullptr},
    {"schedule remove", "ID [options]", "remove one, without asking", kClientExitCodes, "", "ID", false,
     kClientOptions, nullptr},
    {"schedule run", "ID [options]", "make its pipeline now", kRunText, "", "ID", false, kRunOptions,
     nullptr},
}};

}  // namespace

std::span<const CommandSpec> schedule_commands() {
  return kCommands;
}

}  // namespace runner::cli
