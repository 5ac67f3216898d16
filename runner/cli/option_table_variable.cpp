// `runner variable ...`: what its commands take.

#include <array>

#include "runner/cli/option_table_client.h"

namespace runner::cli {
namespace {

constexpr std::string_view kValue = "The value; default: standard input";
constexpr std::string_view kWho = "Who gets it";
constexpr std::string_view kHow = "How";

constexpr OptionSpec kEnvironment{
    "--environment", "SCOPE", kWho,
    "only jobs whose environment has this name, when they start; * is any text, such as 'review/*'", ""};

constexpr std::array<OptionSpec, 15> kSetOptions{{
    {"--file", "FILE", kValue, "what this file holds", ""},
    {"--value", "TEXT", kValue,
     "this text; everybody on this machine can see it in the list of processes: prefer standard input", ""},
    kEnvironment,
    {"--protected", "", kWho, "only pipelines of protected refs", ""},
    {"--no-protected", "", kWho, "others as well, as a new one is", ""},
    {"--type", "TYPE", kHow, "file: jobs get the path of a file that holds it; default: env_var",
     "env_var,file"},
    {"--no-mask", "", kHow, "show it in logs: for what is no secret, or cannot be masked", ""},
    {"--raw", "", kHow, "a $ in it means nothing", ""},
    {"--no-raw", "", kHow, "$NAME in it is another variable, as in a new one", ""},
    {"--description", "TEXT", kHow, "what it is for; everybody may know it", ""},
    kServerOption,
    kServerDataOption,
    kJsonOption,
    kNoColorOption,
    kHelpOption,
}};

constexpr std::array<OptionSpec, 6> kListOptions{{
    kServerOption,
    kServerDataOption,
    {"-q,--quiet", "", kOutputGroup, "print the keys only", ""},
    kJsonOption,
    kNoColorOption,
    kHelpOption,
}};

constexpr std::array<OptionSpec, 6> kRemoveOptions{{
    {"--environment", "SCOPE", kWho, "the one of this scope; needed when there are several of the key", ""},
    kServerOption,
    kServerDataOption,
    kJsonOption,
    kNoColorOption,
    kHelpOption,
}};

constexpr std::string_view kSetText =
    "Sets a variable of a project, for the jobs of its next pipelines; the value is sealed, and nobody is "
    "shown it\n"
    "again. One that is there gets the new value, and keeps what no option says, but for its type and "
    "whether it\n"
    "is masked: that it is unless --no-mask is given. The line break at the end of standard input or a file "
    "is left\n"
    "out, unless it is of the type file.\n"
    "\n"
    "Exit codes: 0 done, 1 the server refused (there is no such thing, or not now), 2 the command line or a "
    "value\n"
    "is wrong, 3 no server, no right to do this, or the machinery failed.";

constexpr std::string_view kSetExamples =
    "  pass prod/registry | runner variable set shop REGISTRY_PASSWORD\n"
    "  runner variable set shop PROD_SSH_KEY --file id_ed25519 --type file --environment production\n"
    "  runner variable set shop PORT --value 8080 --no-mask --environment 'review/*'\n";

const std::array<CommandSpec, 3> kCommands{{
    {"variable set", "PROJECT KEY [options]", "give jobs a value, or another one", kSetText, kSetExamples,
     "PROJECT", true, kSetOptions, nullptr},
    {"variable list", "PROJECT [options]", "what jobs are given, without the values", kClientExitCodes, "",
     "PROJECT", false, kListOptions, nullptr},
    {"variable remove", "PROJECT KEY [options]", "remove one, without asking", kClientExitCodes, "",
     "PROJECT", true, kRemoveOptions, nullptr},
}};

}  // namespace

std::span<const CommandSpec> variable_commands() {
  return kCommands;
}

}  // namespace runner::cli
