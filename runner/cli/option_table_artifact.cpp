// `runner artifact ...`: what its commands take.

#include <array>

#include "runner/cli/option_table.h"

namespace runner::cli {
namespace {

constexpr std::string_view kWhich = "Which artifacts";
constexpr std::string_view kHow = "How";
constexpr std::string_view kOutput = "Output";

constexpr OptionSpec kRun{"--run", "N", kWhich, "of this run; default: the newest that has any", ""};
constexpr OptionSpec kAll{"--all", "", kWhich, "those of all projects", ""};
constexpr OptionSpec kDirectory{"-C", "DIR", kHow, "go to this directory first", ""};
constexpr OptionSpec kData{
    "--data", "DIR", kHow,
    "where caches and artifacts are kept; default: $RUNNER_DATA, else the user's data directory", ""};
constexpr OptionSpec kJobId{"--job-id", "N", kWhich,
                            "of this job on a server ('runner serve'), by its id, not of local runs", ""};
constexpr OptionSpec kServer{
    "--server", "URL", kHow,
    "the server to ask, with the token in $RUNNER_TOKEN; default: $RUNNER_URL, else the one of this machine",
    ""};
constexpr OptionSpec kOverwrite{"--overwrite", "", kHow, "replace files that exist", ""};
constexpr OptionSpec kJson{"--json", "", kOutput, "print one JSON document instead of text", ""};
constexpr OptionSpec kNoColor{"--no-color", "", kOutput, "no colours; also NO_COLOR", ""};
constexpr OptionSpec kHelp{"-h,--help", "", kOutput, "this text", ""};

constexpr std::array<OptionSpec, 11> kListOptions{{
    {"--job", "JOB", kWhich, "of this job", ""},
    {"--run", "N", kWhich, "of this run", ""},
    kAll,
    kJobId,
    kDirectory,
    kData,
    kServer,
    {"-q,--quiet", "", kOutput, "print the names of the jobs only", ""},
    kJson,
    kNoColor,
    kHelp,
}};

constexpr std::array<OptionSpec, 7> kShowOptions{{kRun, kAll, kDirectory, kData, kJson, kNoColor, kHelp}};

constexpr std::array<OptionSpec, 12> kDownloadOptions{{
    kRun,
    kAll,
    kJobId,
    {"--kind", "KIND", kWhich, "of a job on a server: its archive (default) or its reports",
     "archive,reports"},
    {"-o,--output", "FILE", kHow,
     "write to this file, or to a directory; '-' is standard output; default: its own name, here", ""},
    kOverwrite,
    kDirectory,
    kData,
    kServer,
    kJson,
    kNoColor,
    kHelp,
}};

constexpr std::array<OptionSpec, 8> kExtractOptions{{
    kRun,
    kAll,
    {"-C", "DIR", kHow, "write below this directory, which is made when missing; default: here", ""},
    kOverwrite,
    kData,
    kJson,
    kNoColor,
    kHelp,
}};

constexpr std::string_view kExitCodes =
    "Exit codes: 0 done, 1 there is no such artifact, or it is damaged, 2 the command line is wrong, 3 the\n"
    "machinery failed.";

constexpr std::string_view kListText =
    "Lists what jobs of this repository left, newest first: archives of artifacts:paths and "
    "artifacts:reports.\n"
    "They stay until they expire (artifacts:expire_in, default 30 days) or ten newer runs have left some; "
    "those of\n"
    "a job's newest success on each branch stay.";

constexpr std::string_view kListExamples =
    "  runner artifact list                 of this repository\n"
    "  runner artifact list --job build     all that the job 'build' left\n"
    "  runner artifact list --json | jq '.[].path'\n"
    "  runner artifact list --job-id 812    what a job on a server left\n";

constexpr std::string_view kShowText =
    "Tells everything about what a job left last, or about an id that 'runner artifact list' shows, and "
    "lists\n"
    "the files in it.\n"
    "\n"
    "Exit codes: 0 done, 1 there is no such artifact, 2 the command line is wrong, 3 the machinery failed.";

constexpr std::string_view kDownloadExamples =
    "  runner artifact download build       the newest archive of the job 'build', under its own name\n"
    "  runner artifact download 12 -o x.zip the one with the id 12\n"
    "  runner artifact download build -o - | bsdtar -tf -\n"
    "  runner artifact download --job-id 812 that of a job on a server\n";

constexpr std::string_view kExtractExamples =
    "  runner artifact extract build        into the current directory\n"
    "  runner artifact extract build -C out dist/app\n";

const std::array<CommandSpec, 5> kCommands{{
    {"artifact list", "[options]", "list what jobs of this repository left", kListText, kListExamples, "",
     false, kListOptions, nullptr},
    {"artifact show", "JOB|ID [options]", "tell everything about one, and what is in it", kShowText, "",
     "ARTIFACT", false, kShowOptions, nullptr},
    {"artifact download", "JOB|ID|--job-id N [-o FILE] [options]", "copy an archive, its digest verified",
     kExitCodes, kDownloadExamples, "ARTIFACT", false, kDownloadOptions, nullptr},
    {"artifact extract", "JOB|ID [PATH...] [-C DIR] [options]", "unpack an archive, or some paths of it",
     kExitCodes, kExtractExamples, "ARTIFACT", true, kExtractOptions, nullptr},
    {"artifact remove", "JOB|ID... [options]", "remove artifacts, without asking", kExitCodes, "", "ARTIFACT",
     true, kShowOptions, nullptr},
}};

}  // namespace

std::span<const CommandSpec> artifact_commands() {
  return kCommands;
}

}  // namespace runner::cli
