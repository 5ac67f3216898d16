// `runner cache ...`: what its commands take.

#include <array>

#include "runner/cli/option_table.h"

namespace runner::cli {
namespace {

constexpr std::string_view kWhich = "Which caches";
constexpr std::string_view kCommit = "What the pipeline is told";
constexpr std::string_view kHow = "How";
constexpr std::string_view kOutput = "Output";

constexpr OptionSpec kDirectory{"-C", "DIR", kHow, "go to this directory first", ""};
constexpr OptionSpec kData{
    "--data", "DIR", kHow,
    "where caches and artifacts are kept; default: $RUNNER_DATA, else the user's data directory", ""};
constexpr OptionSpec kScope{
    "--scope", "SCOPE", kWhich,
    "those of another project, by the name 'runner cache list --all' shows; default: this one", ""};
constexpr OptionSpec kJson{"--json", "", kOutput, "print one JSON document instead of text", ""};
constexpr OptionSpec kNoColor{"--no-color", "", kOutput, "no colours; also NO_COLOR", ""};
constexpr OptionSpec kHelp{"-h,--help", "", kOutput, "this text", ""};

constexpr std::array<OptionSpec, 8> kListOptions{{
    {"--all", "", kWhich, "the caches of all projects", ""},
    kScope,
    kDirectory,
    kData,
    {"-q,--quiet", "", kOutput, "print the keys only", ""},
    kJson,
    kNoColor,
    kHelp,
}};

constexpr std::array<OptionSpec, 6> kShowOptions{{kScope, kDirectory, kData, kJson, kNoColor, kHelp}};

constexpr std::array<OptionSpec, 7> kRemoveOptions{{
    {"--all", "", kWhich, "every cache of the project", ""},
    kScope,
    kDirectory,
    kData,
    kJson,
    kNoColor,
    kHelp,
}};

constexpr std::array<OptionSpec, 8> kCollectOptions{{
    {"--budget", "SIZE", kWhich,
     "remove the least recently used until the rest takes no more than this, such as 5GiB or 500MB; default: "
     "$RUNNER_CACHE_SIZE, else the lesser of 20 GiB and a tenth of the disk",
     ""},
    {"--older-than", "DURATION", kWhich, "remove also what was not used for so long, such as 7d", ""},
    {"--dry-run", "", kHow, "only tell what would go", ""},
    kDirectory,
    kData,
    kJson,
    kNoColor,
    kHelp,
}};

constexpr std::array<OptionSpec, 6> kVerifyOptions{{
    {"--content", "", kHow, "also read every file, and compare with the digests", ""},
    kDirectory,
    kData,
    kJson,
    kNoColor,
    kHelp,
}};

constexpr std::array<OptionSpec, 11> kExplainOptions{{
    {"-f,--file", "FILE", kWhich,
     "pipeline file; default: the first of .runner.yml and .gitlab-ci.yml that exists", ""},
    {"--var", "K=V", kCommit, "set a variable, above those of the file; may be repeated", ""},
    {"--branch", "NAME", kCommit, "plan as for this branch; default: the one checked out", ""},
    {"--tag", "NAME", kCommit, "plan as for this tag", ""},
    {"--source", "NAME", kCommit, "what started the pipeline (CI_PIPELINE_SOURCE); default: push", ""},
    kScope,
    kDirectory,
    kData,
    kJson,
    kNoColor,
    kHelp,
}};

constexpr std::string_view kExitCodes =
    "Exit codes: 0 done, 2 the command line is wrong, 3 the machinery failed.";

constexpr std::string_view kListExamples =
    "  runner cache list                    the caches of this repository\n"
    "  runner cache list --all              of all projects\n"
    "  runner cache list --json             for programs\n";

constexpr std::string_view kRemoveText =
    "Removes caches by key, without asking, and tells what went. Jobs that run on them go on undisturbed.\n"
    "\n"
    "Exit codes: 0 done, 2 there is no such key, 3 the machinery failed.";

constexpr std::string_view kCollectText =
    "Brings what is kept down to the budget: entries that were not used for longest go first. A run does "
    "the\n"
    "same by itself, in the background. What running jobs use stays until they end.\n"
    "\n"
    "Exit codes: 0 done, 2 the command line is wrong, 3 the machinery failed.";

constexpr std::string_view kCollectExamples =
    "  runner cache gc --dry-run            what would go?\n"
    "  runner cache gc --budget 5GiB        keep at most 5 GiB\n"
    "  runner cache gc --older-than 7d      and nothing that was not used this week\n";

constexpr std::string_view kVerifyText =
    "Checks that everything the index names is on disk and sound. Changes nothing.\n"
    "\n"
    "Exit codes: 0 all is well, 1 there are problems, each with its path, 3 the machinery failed.";

constexpr std::string_view kExplainText =
    "For each cache of the jobs of this repository's pipeline: the key as it is now, what it was made from, "
    "and\n"
    "whether a job that started now would find it; if not, why. No job runs, nothing is changed.\n"
    "\n"
    "Exit codes: 0 told, 2 the pipeline or the command line is invalid, 3 the machinery failed.";

constexpr std::string_view kExplainExamples =
    "  runner cache explain                 all jobs\n"
    "  runner cache explain test            why does 'test' not find its cache?\n"
    "  runner cache explain --branch topic  as on another branch\n";

constexpr std::array<OptionSpec, 7> kExportOptions{{
    {"--to", "DIR", kHow, "where the packed caches go; default: runner-cache", ""},
    kScope,
    kDirectory,
    kData,
    kJson,
    kNoColor,
    kHelp,
}};

constexpr std::array<OptionSpec, 7> kImportOptions{{
    {"--from", "DIR", kHow, "where the packed caches are; default: runner-cache", ""},
    {"--scope", "SCOPE", kWhich, "they become caches of this project; default: the one here", ""},
    kDirectory,
    kData,
    kJson,
    kNoColor,
    kHelp,
}};

constexpr std::string_view kExportText =
    "Packs caches for another machine: each layer as one file named by its digest, and a description of "
    "each\n"
    "cache. What is there already is not written again. Without keys all caches of the repository go.\n"
    "\n"
    "Exit codes: 0 done, 2 there is no such key, 3 the machinery failed.";

constexpr std::string_view kExportExamples =
    "  runner cache export --to /mnt/usb    all caches of this repository\n"
    "  runner cache export npm-1a2b         one, into ./runner-cache\n";

constexpr std::string_view kImportText =
    "Takes caches that 'runner cache export' packed, as caches of this repository. Every layer is compared "
    "with\n"
    "its digest; what is damaged or would write elsewhere is refused, and its cache not taken. A cache that "
    "is\n"
    "here and not older stays.\n"
    "\n"
    "Exit codes: 0 done, 1 some are damaged or refused, 2 there is no such key or directory, 3 the "
    "machinery\n"
    "failed.";

constexpr std::string_view kImportExamples =
    "  runner cache import --from /mnt/usb  all that is there\n"
    "  runner cache import npm-1a2b         one, from ./runner-cache\n";

const std::array<CommandSpec, 8> kCommands{{
    {"cache list", "[options]", "list the caches of this repository", kExitCodes, kListExamples, "", false,
     kListOptions, nullptr},
    {"cache show", "KEY [options]", "tell everything about one cache", kExitCodes, "", "KEY", false,
     kShowOptions, nullptr},
    {"cache remove", "KEY...|--all [options]", "remove caches", kRemoveText, "", "KEY", true, kRemoveOptions,
     nullptr},
    {"cache gc", "[options]", "remove what is over the budget, or was not used for long", kCollectText,
     kCollectExamples, "", false, kCollectOptions, nullptr},
    {"cache verify", "[--content] [options]", "check what is kept", kVerifyText, "", "", false,
     kVerifyOptions, nullptr},
    {"cache explain", "[JOB...] [options]", "tell why jobs find their caches or not", kExplainText,
     kExplainExamples, "JOB", true, kExplainOptions, nullptr},
    {"cache export", "[KEY...] [options]", "pack caches for another machine", kExportText, kExportExamples,
     "KEY", true, kExportOptions, nullptr},
    {"cache import", "[KEY...] [options]", "take packed caches", kImportText, kImportExamples, "KEY", true,
     kImportOptions, nullptr},
}};

}  // namespace

std::span<const CommandSpec> cache_commands() {
  return kCommands;
}

}  // namespace runner::cli
