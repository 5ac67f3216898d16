// `runner audit ...`: what its commands take.

#include <array>

#include "runner/cli/option_table_client.h"

namespace runner::cli {
namespace {

constexpr std::string_view kWhich = "Which records";
constexpr std::string_view kWhat = "What to look at";

constexpr std::array<OptionSpec, 11> kListOptions{{
    {"--actor", "NAME", kWhich, "of this user; the server itself is 'runner'", ""},
    {"--action", "TEXT", kWhich, "whose action begins so, such as 'deployment.' or 'variable.read'", ""},
    {"--project", "NAME", kWhich, "of this project", ""},
    {"--environment", "NAME", kWhich, "of this environment", ""},
    {"--result", "RESULT", kWhich, "allow or deny", "allow,deny"},
    {"-n,--limit", "N", kWhich, "the newest N; default: 20", ""},
    kServerOption,
    kServerDataOption,
    kJsonOption,
    kNoColorOption,
    kHelpOption,
}};

constexpr std::array<OptionSpec, 7> kVerifyOptions{{
    {"--file", "FILE", kWhat, "what 'runner audit export' wrote, with no server; - is standard input", ""},
    {"--against", "FILE", kWhat,
     "checkpoints, one a line, as 'runner audit checkpoint' or the server's own log has them: each must be "
     "part of the chain; - is standard input",
     ""},
    kServerOption,
    kServerDataOption,
    kJsonOption,
    kNoColorOption,
    kHelpOption,
}};

constexpr std::string_view kListExamples =
    "  runner audit list --result deny              who was not let?\n"
    "  runner audit list --action variable.read     which jobs were given secrets?\n"
    "  runner audit list --environment production -n 100\n";

constexpr std::string_view kExportText =
    "Prints all records, the oldest first, one JSON object a line. 'runner audit verify --file' checks such "
    "a file\n"
    "anywhere.";

constexpr std::string_view kVerifyText =
    "Follows the chain from the first record on, with hashes that it makes itself, and names the first "
    "record "
    "that was\n"
    "changed, removed or put between. A chain does not show that its end was cut off, or that all of it was "
    "written anew:\n"
    "give checkpoints that were kept elsewhere for that.\n"
    "\n"
    "Exit codes: 0 it is whole, 1 it is not, 2 the command line is wrong or a file is none of these, 3 no "
    "server, no\n"
    "right to do this, or the machinery failed.";

constexpr std::string_view kVerifyExamples =
    "  runner audit verify\n"
    "  runner audit export > audit.jsonl && runner audit verify --file audit.jsonl\n"
    "  journalctl -u runner | grep checkpoint | runner audit verify --against -\n";

constexpr std::string_view kCheckpointText =
    "Prints where the log stands, signed with the server's key for it, which is not in its database: keep "
    "the "
    "line where\n"
    "who owns the server cannot change it. The server writes one to its own log each hour.";

const std::array<CommandSpec, 4> kCommands{{
    {"audit list", "[options]", "who did what, newest first", kClientExitCodes, kListExamples, "", false,
     kListOptions, nullptr},
    {"audit export", "[options]", "all records, as lines of JSON", kExportText, "", "", false, kClientOptions,
     nullptr},
    {"audit verify", "[options]", "whether the records are those that were written", kVerifyText,
     kVerifyExamples, "", false, kVerifyOptions, nullptr},
    {"audit checkpoint", "[options]", "print what a later verification needs", kCheckpointText, "", "", false,
     kClientOptions, nullptr},
}};

}  // namespace

std::span<const CommandSpec> audit_commands() {
  return kCommands;
}

}  // namespace runner::cli
