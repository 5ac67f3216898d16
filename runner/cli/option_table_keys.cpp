// `runner keys ...`: what its commands take.

#include <array>

#include "runner/cli/option_table_client.h"

namespace runner::cli {
namespace {

constexpr std::array<OptionSpec, 6> kRotateOptions{{
    {"--no-wait", "", "How", "do not wait until all values have the new key", ""},
    kServerOption,
    kServerDataOption,
    kJsonOption,
    kNoColorOption,
    kHelpOption,
}};

constexpr std::string_view kRotateText =
    "Makes a new data key, with which the server seals from now on, and gives it to all that is sealed, "
    "while it "
    "goes on\n"
    "working. When this is interrupted, or the server is restarted, the server goes on with it by itself.\n"
    "\n"
    "Keys of before stay as files: a backup of the database from before needs them. 'runner keys remove' "
    "deletes\n"
    "one that no value needs. Only on the server's machine, by its socket.\n"
    "\n"
    "Exit codes: 0 done, 1 the server refused, or some values do not open, 2 the command line is wrong, 3 no "
    "server, no\n"
    "right to do this, or the machinery failed.";

constexpr std::string_view kRemoveText =
    "Deletes a data key that no value needs any more. A backup of the database from before cannot be read "
    "without "
    "it.";

const std::array<CommandSpec, 3> kCommands{{
    {"keys list", "[options]", "list data keys, and how many values need each", kClientExitCodes, "", "",
     false, kClientOptions, nullptr},
    {"keys rotate", "[options]", "put a new data key in place of the one that seals", kRotateText, "", "",
     false, kRotateOptions, nullptr},
    {"keys remove", "ID [options]", "delete one of before", kRemoveText, "", "ID", false, kClientOptions,
     nullptr},
}};

}  // namespace

std::span<const CommandSpec> key_commands() {
  return kCommands;
}

}  // namespace runner::cli
