// `runner token ...` and `runner user ...`: what their commands take.

#include <array>

#include "runner/cli/option_table_client.h"

namespace runner::cli {
namespace {

constexpr std::string_view kWhat = "The token";
constexpr std::string_view kWho = "The user";
constexpr std::string_view kRoles = "viewer,developer,admin";

constexpr OptionSpec kUser{"--user", "USER", kWhat,
                           "whose; default: the user of this machine, by name, who calls", ""};

constexpr std::array<OptionSpec, 9> kCreateOptions{{
    kUser,
    {"--name", "NAME", kWhat, "what it is for, so that you know it again", ""},
    {"--role", "ROLE", kWhat, "what it may do at most; default: what the user may", kRoles},
    {"--expires-in", "DAYS", kWhat, "how many days it works", ""},
    kServerOption,
    kServerDataOption,
    kJsonOption,
    kNoColorOption,
    kHelpOption,
}};

constexpr std::array<OptionSpec, 6> kTokenListOptions{
    {kUser, kServerOption, kServerDataOption, kJsonOption, kNoColorOption, kHelpOption}};

constexpr OptionSpec kRole{"--role", "ROLE", kWho,
                           "for all projects: viewer: reads; developer: also starts, cancels and deploys; "
                           "admin: also projects, secrets, "
                           "users and tokens; none: nothing but what is granted",
                           "none,viewer,developer,admin"};

constexpr OptionSpec kGrant{
    "--grant", "RIGHT[@PROJECT[/ENVIRONMENT]]", kWho,
    "beside the role: a permission or a role ('runner role list'), for all projects, one, or "
    "one environment; repeatable: all there are",
    ""};

constexpr OptionSpec kGroup{"--group", "NAME", kWho,
                            "in this group, for protections of environments; repeatable: all there are", ""};

constexpr std::array<OptionSpec, 8> kAddOptions{
    {kRole, kGrant, kGroup, kServerOption, kServerDataOption, kJsonOption, kNoColorOption, kHelpOption}};

constexpr std::array<OptionSpec, 12> kSetOptions{{
    kRole,
    kGrant,
    {"--no-grants", "", kWho, "none from now on", ""},
    kGroup,
    {"--no-groups", "", kWho, "in none from now on", ""},
    {"--disable", "", kWho, "no token of the user works any more", ""},
    {"--enable", "", kWho, "they work again", ""},
    kServerOption,
    kServerDataOption,
    kJsonOption,
    kNoColorOption,
    kHelpOption,
}};

constexpr std::string_view kCreateText =
    "Makes a token and prints it, this once: the server keeps only its digest. Commands take it from\n"
    "$RUNNER_TOKEN, never from the command line, which others on the machine can see.";

constexpr std::string_view kCreateExamples =
    "  runner token create --name laptop --expires-in 90\n"
    "  runner token create --user robot --name deploys --role developer > token\n";

const std::array<CommandSpec, 3> kTokenCommands{{
    {"token create", "--name NAME [options]", "make a token", kCreateText, kCreateExamples, "", false,
     kCreateOptions, nullptr},
    {"token list", "[options]", "list the tokens of a user", kClientExitCodes, "", "", false,
     kTokenListOptions, nullptr},
    {"token revoke", "ID [options]", "end a token, at once", kClientExitCodes, "", "ID", false,
     kClientOptions, nullptr},
}};

constexpr std::array<OptionSpec, 6> kRoleOptions{{
    {"--permission", "NAME", "The role", "what it may; repeatable: all there are",
     "monitor,view_logs,view_metrics,deploy,rollback,manage_users,manage_roles"},
    kServerOption,
    kServerDataOption,
    kJsonOption,
    kNoColorOption,
    kHelpOption,
}};

constexpr std::string_view kRoleExamples =
    "  runner role set releaser --permission deploy --permission rollback\n"
    "  runner user set ada --grant releaser@shop/production\n";

const std::array<CommandSpec, 3> kRoleCommands{{
    {"role list", "[options]", "list roles, and what they may", kClientExitCodes, "", "", false,
     kClientOptions, nullptr},
    {"role set", "NAME --permission NAME [options]", "make a role, or change what it may", kClientExitCodes,
     kRoleExamples, "NAME", false, kRoleOptions, nullptr},
    {"role remove", "NAME [options]", "remove a role that nobody has", kClientExitCodes, "", "NAME", false,
     kClientOptions, nullptr},
}};

const std::array<CommandSpec, 3> kUserCommands{{
    {"user add", "NAME --role ROLE [options]", "add a user", kClientExitCodes, "", "NAME", false, kAddOptions,
     nullptr},
    {"user list", "[options]", "list the users of the server", kClientExitCodes, "", "", false,
     kClientOptions, nullptr},
    {"user set", "NAME [options]", "change a user", kClientExitCodes, "", "NAME", false, kSetOptions,
     nullptr},
}};

}  // namespace

std::span<const CommandSpec> token_commands() {
  return kTokenCommands;
}

std::span<const CommandSpec> role_commands() {
  return kRoleCommands;
}

std::span<const CommandSpec> user_commands() {
  return kUserCommands;
}

}  // namespace runner::cli
