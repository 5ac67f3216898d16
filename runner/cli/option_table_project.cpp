// `runner project ...`: what its commands take.

#include <array>

#include "runner/cli/option_table_client.h"

namespace runner::cli {
namespace {

constexpr std::string_view kWhat = "The project";
constexpr std::string_view kAccess = "How the server gets in";

constexpr OptionSpec kBranch{"--branch", "PATTERN", kWhat,
                             "branches to run pipelines for, such as 'release/*'; may be repeated", ""};
constexpr OptionSpec kTag{"--tag", "PATTERN", kWhat,
                          "tags to run pipelines for, such as 'v*'; may be repeated", ""};
constexpr OptionSpec kFile{"--file", "PATH", kWhat, "pipeline file in the repository", ""};
constexpr OptionSpec kPoll{"--poll", "DURATION", kWhat,
                           "how often to look for commits, such as 30s or 5m; 'never': only webhooks", ""};
constexpr OptionSpec kPriority{"--priority", "N", kWhat,
                               "of its pipelines, from -100 to 100: of jobs that wait for room those of the "
                               "highest start first, within the project; default: 0",
                               ""};
constexpr OptionSpec kUsername{"--username", "USER", kAccess, "goes with the token", ""};
constexpr OptionSpec kToken{"--token-file", "FILE", kAccess,
                            "a token or password for an https URL; '-' is standard input", ""};
constexpr OptionSpec kSshKey{"--ssh-key-file", "FILE", kAccess, "a private key for an ssh URL", ""};
constexpr OptionSpec kWebhook{"--webhook-secret-file", "FILE", kAccess,
                              "what the forge signs its webhooks with; '-' is standard input", ""};

constexpr std::string_view kForgeGroup = "The forge";
constexpr OptionSpec kForge{"--forge", "KIND", kForgeGroup,
                            "who is told how the pipelines of commits went; gitea: Forgejo, too; auto: as "
                            "the URL says",
                            "auto,github,gitlab,gitea,none"};
constexpr OptionSpec kForgeApi{"--forge-api", "URL", kForgeGroup,
                               "where its API is, such as https://git.example.com/api/v4; default: at the "
                               "host of the repository",
                               ""};
constexpr OptionSpec kForgeRepository{"--forge-repository", "OWNER/NAME", kForgeGroup,
                                      "what the repository is called there; default: as its URL says", ""};
constexpr OptionSpec kForgeToken{"--forge-token-file", "FILE", kForgeGroup,
                                 "a token for its API; default: the one for the repository; '-' is standard "
                                 "input",
                                 ""};
constexpr OptionSpec kMergeRequests{"--merge-requests", "on|off", kForgeGroup,
                                    "run pipelines of merge requests, whoever opens them; default: off",
                                    "on,off"};

constexpr std::array<OptionSpec, 19> kAddOptions{{
    kBranch,     kTag,           kFile,         kPoll,
    kPriority,   kUsername,      kToken,        kSshKey,
    kWebhook,    kForge,         kForgeApi,     kForgeRepository,
    kForgeToken, kMergeRequests, kServerOption, kServerDataOption,
    kJsonOption, kNoColorOption, kHelpOption,
}};

constexpr std::array<OptionSpec, 26> kSetOptions{{
    {"--url", "URL", kWhat, "of the repository", ""},
    kBranch,
    kTag,
    kFile,
    kPoll,
    kPriority,
    {"--pause", "", kWhat, "start no pipelines by itself", ""},
    {"--resume", "", kWhat, "start them again", ""},
    {"--resource-group", "NAME=MODE", kWhat,
     "how jobs get that resource_group: unordered, oldest_first, newest_first or newest_ready_first; may be "
     "repeated",
     ""},
    kUsername,
    kToken,
    kSshKey,
    {"--no-credential", "", kAccess, "forget token and key", ""},
    kWebhook,
    {"--no-webhook-secret", "", kAccess, "forget the secret of webhooks", ""},
    kForge,
    kForgeApi,
    kForgeRepository,
    kForgeToken,
    {"--no-forge-token", "", kForgeGroup, "forget the token for its API", ""},
    kMergeRequests,
    kServerOption,
    kServerDataOption,
    kJsonOption,
    kNoColorOption,
    kHelpOption,
}};

constexpr std::array<OptionSpec, 6> kListOptions{{
    kServerOption,
    kServerDataOption,
    {"-q,--quiet", "", kOutputGroup, "print the names only", ""},
    kJsonOption,
    kNoColorOption,
    kHelpOption,
}};

constexpr std::string_view kTestText =
    "Lets the server reach the repository, with the credentials it has, and tells what it found.\n"
    "\n"
    "Exit codes: 0 it was reached, 1 it cannot be reached or there is no such project, 2 the command line is "
    "wrong,\n"
    "3 no server, no right to do this, or the machinery failed.";

constexpr std::string_view kAddExamples =
    "  runner project add site https://git.example.com/me/site.git\n"
    "  runner project add app git@git.example.com:me/app.git --ssh-key-file ~/.ssh/app --branch main\n"
    "  pass ci/app | runner project add app https://git.example.com/me/app.git --token-file -\n";

constexpr std::string_view kSetExamples =
    "  runner project set site --branch main --branch 'release/*'\n"
    "  runner project set site --pause\n"
    "  runner project set site --resource-group production=oldest_first\n";

const std::array<CommandSpec, 6> kCommands{{
    {"project add", "NAME URL [options]", "let the server watch a repository", kClientExitCodes, kAddExamples,
     "NAME", true, kAddOptions, nullptr},
    {"project list", "[options]", "list the projects of the server", kClientExitCodes, "", "", false,
     kListOptions, nullptr},
    {"project show", "NAME [options]", "tell everything about one", kClientExitCodes, "", "NAME", false,
     kClientOptions, nullptr},
    {"project set", "NAME [options]", "change one", kClientExitCodes, kSetExamples, "NAME", false,
     kSetOptions, nullptr},
    {"project remove", "NAME [options]", "remove one with its pipelines, without asking", kClientExitCodes,
     "", "NAME", false, kClientOptions, nullptr},
    {"project test", "NAME [options]", "can the server reach the repository?", kTestText, "", "NAME", false,
     kClientOptions, nullptr},
}};

}  // namespace

std::span<const CommandSpec> project_commands() {
  return kCommands;
}

}  // namespace runner::cli
