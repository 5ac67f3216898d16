#pragma once
// Options that all commands take which talk to a server. Immutable; any thread.

#include <array>

#include "runner/cli/option_table.h"

namespace runner::cli {

inline constexpr std::string_view kServerGroup = "Which server";
inline constexpr std::string_view kOutputGroup = "Output";

inline constexpr OptionSpec kServerOption{
    "--server", "URL", kServerGroup,
    "such as https://ci.example.com, with the token in $RUNNER_TOKEN; default: $RUNNER_URL, else the one of "
    "this machine, by its socket in the data directory",
    ""};
inline constexpr OptionSpec kServerDataOption{
    "--data", "DIR", kServerGroup,
    "data directory of the server on this machine; default: $RUNNER_DATA, else the user's", ""};
inline constexpr OptionSpec kJsonOption{"--json", "", kOutputGroup, "print what the server says as JSON", ""};
inline constexpr OptionSpec kNoColorOption{"--no-color", "", kOutputGroup, "no colours; also NO_COLOR", ""};
inline constexpr OptionSpec kHelpOption{"-h,--help", "", kOutputGroup, "this text", ""};

/// Of commands that take nothing else.
inline constexpr std::array<OptionSpec, 5> kClientOptions{
    {kServerOption, kServerDataOption, kJsonOption, kNoColorOption, kHelpOption}};

/// Of what starts a pipeline, at once or by the clock.
inline constexpr std::string_view kRunGroup = "What to run";
inline constexpr OptionSpec kRefOption{"--ref", "REF", kRunGroup,
                                       "branch or tag; default: the repository's default branch", ""};
inline constexpr OptionSpec kWaitOption{"--wait", "", "How",
                                        "watch it to its end, and exit as 'runner exec' does", ""};

inline constexpr std::string_view kClientExitCodes =
    "Exit codes: 0 done, 1 the server refused (there is no such thing, or not now), 2 the command line or a "
    "value\n"
    "is wrong, 3 no server, no right to do this, or the machinery failed.";

}  // namespace runner::cli
