// `runner env ...`, `runner deploy ...`, `runner approve` and `runner reject`: what they take.

#include <array>

#include "runner/cli/option_table_client.h"

namespace runner::cli {
namespace {

constexpr std::string_view kWhat = "What";
constexpr std::string_view kWhen = "When";

constexpr OptionSpec kQuiet{"-q,--quiet", "", kOutputGroup, "print the ids only", ""};
constexpr OptionSpec kComment{"--comment", "TEXT", kWhat, "why; everybody sees it", ""};

constexpr std::array<OptionSpec, 6> kEnvListOptions{{
    kServerOption,
    kServerDataOption,
    {"-q,--quiet", "", kOutputGroup, "print the names only", ""},
    kJsonOption,
    kNoColorOption,
    kHelpOption,
}};

constexpr std::array<OptionSpec, 6> kListOptions{{
    kServerOption,
    kServerDataOption,
    kQuiet,
    kJsonOption,
    kNoColorOption,
    kHelpOption,
}};

constexpr std::array<OptionSpec, 6> kDiffOptions{{
    kServerOption,
    kServerDataOption,
    {"-q,--quiet", "", kOutputGroup, "print the ids of the new commits only", ""},
    kJsonOption,
    kNoColorOption,
    kHelpOption,
}};

constexpr std::array<OptionSpec, 7> kSetOptions{{
    {"--protection", "FILE", kWhat,
     "its JSON, in place of all it had; - is standard input, {} takes the protection away", ""},
    {"--version", "N", kWhat, "only when this is still the version that 'runner env show' told", ""},
    kServerOption,
    kServerDataOption,
    kJsonOption,
    kNoColorOption,
    kHelpOption,
}};

constexpr std::array<OptionSpec, 9> kFreezeOptions{{
    {"--from", "TIME", kWhen, "each week, such as 'Fri 16:00', or once, such as '2026-12-23 18:00'", ""},
    {"--to", "TIME", kWhen, "likewise", ""},
    {"--zone", "ZONE", kWhen, "of these times, such as Europe/Zurich; default: UTC", ""},
    {"--clear", "", kWhen, "end all freezes", ""},
    kServerOption,
    kServerDataOption,
    kJsonOption,
    kNoColorOption,
    kHelpOption,
}};

constexpr std::array<OptionSpec, 6> kDecideOptions{{
    kComment,
    kServerOption,
    kServerDataOption,
    kJsonOption,
    kNoColorOption,
    kHelpOption,
}};

constexpr std::array<OptionSpec, 6> kBreakGlassOptions{{
    {"--reason", "TEXT", kWhat, "stays with the deployment for ever; needed", ""},
    kServerOption,
    kServerDataOption,
    kJsonOption,
    kNoColorOption,
    kHelpOption,
}};

constexpr OptionSpec kWait{"--wait", "", "How", "watch it to its end, and exit as 'runner deploy watch' does",
                           ""};

constexpr std::array<OptionSpec, 6> kStartOptions{{
    kWait,
    kServerOption,
    kServerDataOption,
    kJsonOption,
    kNoColorOption,
    kHelpOption,
}};

constexpr std::array<OptionSpec, 6> kResolveOptions{{
    {"--comment", "TEXT", kWhat, "what was done, and what runs there now; needed", ""},
    kServerOption,
    kServerDataOption,
    kJsonOption,
    kNoColorOption,
    kHelpOption,
}};

constexpr std::array<OptionSpec, 7> kRollbackOptions{{
    {"--to", "NUMBER", kWhat,
     "of the deployment to go back to, as 'runner env history' has it; default: the last "
     "one of another release",
     ""},
    kWait,
    kServerOption,
    kServerDataOption,
    kJsonOption,
    kNoColorOption,
    kHelpOption,
}};

constexpr std::string_view kWatchText =
    "One line for each state and each step, until it has ended or waits for somebody.\n"
    "\n"
    "Exit codes: 0 succeeded, 1 failed and nothing that runs was changed, or canceled, 2 the command line is "
    "wrong,\n"
    "3 rolled back, 4 the rollback failed, 5 rejected or expired, 6 superseded, 8 it waits: for approval or "
    "a\n"
    "person, 9 no right to do this, 10 no server, or the machinery failed.";

constexpr std::string_view kRollbackText =
    "The job that deployed it runs once more, with the artifacts it had then; the gate lets it pass before "
    "all\n"
    "that waits, and asks for approvals only when the protection says so (rollback:approvals).\n"
    "\n"
    "Exit codes: 0 done, 1 the server refused (there is no such deployment, or not now), 2 the command line "
    "or a\n"
    "value is wrong, 3 no server, no right to do this, or the machinery failed. With --wait those of "
    "'runner\n"
    "deploy watch'.";

constexpr std::string_view kUnlockText =
    "For a deployment that nobody carries out any more and that cannot be ended otherwise. Whoever does "
    "after all\n"
    "is refused from then on, here and by the next deployment on the targets; what it left half done stays "
    "as it\n"
    "is. Try 'runner deploy abort' first.\n"
    "\n"
    "Exit codes: 0 done, 1 the server refused (nobody has it), 2 the command line is wrong, 3 no server, no "
    "right\n"
    "to do this, or the machinery failed.";

constexpr std::string_view kFreezeText =
    "Adds a time in which nothing is deployed there; what comes then waits. The rest of the protection stays "
    "as it\n"
    "is: when somebody else changes it at the same moment the server refuses this.\n"
    "\n"
    "Exit codes: 0 done, 1 the server refused (there is no such thing, or not now), 2 the command line or a "
    "value\n"
    "is wrong, 3 no server, no right to do this, or the machinery failed.";

constexpr std::string_view kApproveText =
    "Agrees to exactly what 'runner deploy status' shows: when that changes, the approval is void. Each "
    "person "
    "counts\n"
    "for one rule. An approval is a user's: by the socket of this machine nobody is known as one, so name "
    "the "
    "server\n"
    "with --server or RUNNER_URL, and put your token into RUNNER_TOKEN.\n"
    "\n"
    "Exit codes: 0 done, 1 the server refused (there is no such deployment, or it does not wait any more), 2 "
    "the\n"
    "command line is wrong, 3 no server, no right to do this, or the machinery failed.";

constexpr std::string_view kRejectText =
    "Ends a deployment that waits. There is no way back: what is to be deployed all the same is started "
    "anew.\n"
    "\n"
    "Exit codes: 0 done, 1 the server refused (there is no such deployment, or it does not wait any more), 2 "
    "the\n"
    "command line is wrong, 3 no server, no right to do this, or the machinery failed.";

constexpr std::string_view kPlanText =
    "Made by the code that carries it out: hosts in their batches, weights, timeouts, checks, migrations, "
    "what "
    "a\n"
    "rollback does and what it cannot undo. Variables whose values are for jobs only are there by their "
    "names.\n"
    "Where what runs on the hosts is not seen yet, it is taken for what the deployment before left.\n"
    "\n"
    "Exit codes: 0 done, 1 there is no such deployment, 2 the command line is wrong, 3 no server, no right "
    "to "
    "do\n"
    "this, or the machinery failed.";

constexpr std::string_view kDeployDiffText =
    "Commits, archives and images by their digests, keys of 'deploy:', and which variables were changed "
    "since, "
    "by\n"
    "name and version. GONE are commits that run there and would not any more.\n"
    "\n"
    "Exit codes: 0 done, 1 there is no such deployment, 2 the command line is wrong, 3 no server, no right "
    "to "
    "do\n"
    "this, or the machinery failed.";

constexpr std::string_view kEnvDiffText =
    "What runs in NAME and not in OTHER: commits, archives and images. Without OTHER: what it has that it "
    "had "
    "not\n"
    "before, which is the last deployment of another release that succeeded there.\n"
    "\n"
    "Exit codes: 0 done, 1 there is no such environment, 2 the command line is wrong, 3 no server, no right "
    "to "
    "do\n"
    "this, or the machinery failed.";

constexpr std::string_view kEnvDiffExamples = "  runner env diff shop staging production\n";

constexpr std::string_view kSetExamples =
    "  runner env set shop production --protection protection.json\n"
    "  runner env show shop production --json | jq .protection | sed 's/24h/48h/' |\n"
    "    runner env set shop production --protection -\n";

constexpr std::string_view kFreezeExamples =
    "  runner env freeze shop production --from 'Fri 16:00' --to 'Mon 07:00' --zone Europe/Zurich\n"
    "  runner env freeze shop production --clear\n";

constexpr std::string_view kBreakGlassExamples =
    "  runner deploy break-glass 12 --reason 'the shop is down, this is the mend'\n";

const std::array<CommandSpec, 6> kEnvironmentCommands{{
    {"env list", "PROJECT [options]", "list environments, with what runs there and how much waits",
     kClientExitCodes, "", "PROJECT", false, kEnvListOptions, nullptr},
    {"env show", "PROJECT NAME [options]", "tell what runs there, and how it is protected", kClientExitCodes,
     "", "PROJECT", true, kClientOptions, nullptr},
    {"env set", "PROJECT NAME --protection FILE [options]",
     "say who may deploy there, when, and who has to agree", kClientExitCodes, kSetExamples, "PROJECT", true,
     kSetOptions, nullptr},
    {"env history", "PROJECT NAME [options]", "list what was deployed there, the newest first",
     kClientExitCodes, "", "PROJECT", true, kListOptions, nullptr},
    {"env freeze", "PROJECT NAME --from TIME --to TIME [options]", "let nothing be deployed there for a time",
     kFreezeText, kFreezeExamples, "PROJECT", true, kFreezeOptions, nullptr},
    {"env diff", "PROJECT NAME [OTHER] [options]", "tell what runs there and not in another, or not before",
     kEnvDiffText, kEnvDiffExamples, "PROJECT", true, kDiffOptions, nullptr},
}};

const std::array<CommandSpec, 15> kDeployCommands{{
    {"deploy list", "PROJECT NAME [options]", "list what waits to be deployed to an environment",
     kClientExitCodes, "", "PROJECT", true, kListOptions, nullptr},
    {"deploy status", "ID [options]", "tell what would come, who has agreed, and who is missing",
     kClientExitCodes, "", "ID", false, kClientOptions, nullptr},
    {"deploy plan", "ID [options]", "tell what it does or is going to do, step by step", kPlanText, "", "ID",
     false, kClientOptions, nullptr},
    {"deploy diff", "ID [options]", "tell what it brings that what runs there has not", kDeployDiffText, "",
     "ID", false, kDiffOptions, nullptr},
    {"deploy watch", "ID [options]", "follow one to its end", kWatchText, "", "ID", false, kClientOptions,
     nullptr},
    {"deploy start", "ID [options]", "start one that waits for a person to do so", kClientExitCodes, "", "ID",
     false, kStartOptions, nullptr},
    {"deploy cancel", "ID [options]", "cancel one that has not begun", kClientExitCodes, "", "ID", false,
     kClientOptions, nullptr},
    {"deploy break-glass", "ID --reason TEXT [options]", "pass over approvals and freezes, in an emergency",
     kClientExitCodes, kBreakGlassExamples, "ID", false, kBreakGlassOptions, nullptr},
    {"deploy pause", "ID [options]", "hold one that is carried out before its next step", kClientExitCodes,
     "", "ID", false, kClientOptions, nullptr},
    {"deploy resume", "ID [options]", "let one that is paused go on", kClientExitCodes, "", "ID", false,
     kClientOptions, nullptr},
    {"deploy promote", "ID [options]", "let a canary that waits for you take its next step", kClientExitCodes,
     "", "ID", false, kClientOptions, nullptr},
    {"deploy abort", "ID [options]", "end one that is carried out: what has begun is rolled back",
     kClientExitCodes, "", "ID", false, kClientOptions, nullptr},
    {"deploy resolve", "ID --comment TEXT [options]", "after a rollback that failed: you have seen to it",
     kClientExitCodes, "", "ID", false, kResolveOptions, nullptr},
    {"deploy rollback", "PROJECT NAME [options]", "go back to the release before", kRollbackText, "",
     "PROJECT", true, kRollbackOptions, nullptr},
    {"deploy unlock", "PROJECT NAME --reason TEXT [options]",
     "take an environment from a deployment that nobody carries out any more", kUnlockText, "", "PROJECT",
     true, kBreakGlassOptions, nullptr},
}};

}  // namespace

std::span<const CommandSpec> environment_commands() {
  return kEnvironmentCommands;
}

std::span<const CommandSpec> deploy_commands() {
  return kDeployCommands;
}

const CommandSpec& approve_command() {
  static const CommandSpec command{
      "approve",      "ID [options]", "agree to a deployment that waits", kApproveText, "", "ID", false,
      kDecideOptions, nullptr};
  return command;
}

const CommandSpec& reject_command() {
  static const CommandSpec command{
      "reject",       "ID [options]", "refuse a deployment that waits", kRejectText, "", "ID", false,
      kDecideOptions, nullptr};
  return command;
}

}  // namespace runner::cli
