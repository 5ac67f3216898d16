#include "runner/cli/doctor_checks.h"

#include <fcntl.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <optional>

#include "cache/housekeeper.h"
#include "cache/layer_store.h"
#include "cache/mount_point.h"
#include "cache/workspace.h"
#include "runner/base/copy_content.h"
#include "runner/base/error.h"
#include "runner/base/fd.h"
#include "runner/base/files.h"
#include "runner/base/text.h"
#include "runner/cli/container_engines.h"
#include "runner/cli/local_checkout.h"
#include "runner/cli/run_directory.h"
#include "runner/cli/work_place.h"
#include "runner/engine/shell_script.h"
#include "runner/git/library_version.h"

namespace runner::cli {
namespace {

namespace fs = std::filesystem;
using Findings = std::vector<Finding>;

constexpr std::uint64_t kLittleSpace = 1ULL << 30U;
constexpr std::size_t kMostProblems = 5;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

void check_kernel(Findings& out) {
  utsname system{};
  ::uname(&system);
  int major = 0, minor = 0;
  std::sscanf(system.release, "%d.%d", &major, &minor);
  Finding finding{"kernel", Health::ok, std::string(system.sysname) + " " + system.release, ""};
  if (major < 5 || (major == 5 && minor < 11)) {
    finding.health = Health::warning;
    finding.mend = "workspaces are copies before 5.11: a newer kernel mounts them";
  }
  out.push_back(std::move(finding));
}

/// The directories that a look at the data directory needs. Those that were not there go again.
class TrialPlace {
 public:
  explicit TrialPlace(const fs::path& data) {
    fs::path missing = data / "work";
    std::error_code ignored;  // making them says what is wrong
    while (missing.has_relative_path() &&
           fs::symlink_status(missing, ignored).type() == fs::file_type::not_found) {
      made_.push_back(missing);
      missing = missing.parent_path();
    }
    make_directories(data / "work", 0700);
  }
  ~TrialPlace() {
    for (const fs::path& directory : made_) ::rmdir(directory.c_str());
  }
  TrialPlace(const TrialPlace&) = delete;
  TrialPlace& operator=(const TrialPlace&) = delete;
  bool made_data() const { return made_.size() > 1; }

 private:
  std::vector<fs::path> made_;  // innermost first
};

void check_data(Findings& out, const fs::path& data, const TrialPlace& place) {
  if (::access(data.c_str(), W_OK | X_OK) != 0) throw_errno("cannot write to " + in_quotes(data.native()));
  const RunDirectory trial(data / "work");
  const cache::Disk disk = cache::disk_of(data);
  Finding finding{"data", Health::ok, in_quotes(data.native()) + ", on the disk at " + describe(disk), ""};
  if (place.made_data()) finding.text += ", made by the first run";
  if (disk.available < kLittleSpace) {
    finding.health = Health::warning;
    finding.mend = "there is little space: make some, or choose another place with --data or RUNNER_DATA";
  } else if (disk.counts_files && disk.files_available < 10'000) {
    finding.health = Health::warning;
    finding.text += ", with room for " + std::to_string(disk.files_available) + " files";
    finding.mend = "remove some, or choose another place with --data or RUNNER_DATA";
  }
  out.push_back(std::move(finding));
}

// In a directory like those of runs: should this be killed, the next run removes it.
bool can_share_blocks(const fs::path& data) {
  const RunDirectory trial(data / "work");
  write_file_atomic(trial.path() / "from", std::string(8192, 'x'), 0600, false);
  const UniqueFd from(::open((trial.path() / "from").c_str(), O_RDONLY | O_CLOEXEC));
  const UniqueFd to(::open((trial.path() / "to").c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!from || !to) throw_errno("cannot try to share blocks in " + in_quotes(data.native()));
  return clone_content(from.get(), to.get());
}

/// What a real try says, whatever RUNNER_WORKSPACE wants and whatever an earlier run found out.
cache::MountProbe probe_afresh(const fs::path& work) {
  const std::string wish = variable("RUNNER_WORKSPACE");
  if (!wish.empty()) ::unsetenv("RUNNER_WORKSPACE");
  cache::MountProbe probe = cache::probe_mount_mode(work);
  if (!wish.empty()) ::setenv("RUNNER_WORKSPACE", wish.c_str(), 1);
  return probe;
}

void check_workspaces(Findings& out, const fs::path& data) {
  const cache::MountProbe probe = probe_afresh(data / "work");
  const bool copies = probe.mode == cache::MountMode::copy;
  const std::string wish = variable("RUNNER_WORKSPACE");
  Finding finding{"workspaces", Health::ok, std::string(to_string(probe.mode)), ""};
  if (wish == "overlay" && copies) {
    finding = {"workspaces", Health::problem, "RUNNER_WORKSPACE is 'overlay', but " + probe.why,
               "unset it: workspaces are copied then"};
  } else if (wish == "copy" && !copies) {
    finding = {"workspaces", Health::warning, "copy, as RUNNER_WORKSPACE says; they could be mounted",
               "unset it"};
  } else if (!wish.empty() && wish != "copy" && wish != "overlay" && wish != "auto") {
    finding.health = Health::warning;
    finding.text += "; RUNNER_WORKSPACE is " + in_quotes(wish);
    finding.mend = "'auto', 'overlay' or 'copy' is expected";
  } else if (copies) {
    finding.health = Health::warning;
    finding.text += ": " + probe.why;
    const WorkPlace elsewhere = choose_work_place(data, "/nowhere");
    finding.mend =
        elsewhere.mode == cache::MountMode::copy
            ? "jobs start faster where overlays can be mounted"
            : "runs use " + in_quotes(elsewhere.parent.native()) +
                  ", where overlays work; caches are faster on the same disk: choose one with --data";
  } else if (!probe.why.empty()) {
    finding.text += ": " + probe.why;
  }
  out.push_back(std::move(finding));

  const bool shares = can_share_blocks(data);
  out.push_back({"copies", Health::ok,
                 shares ? "files share their blocks until one is changed"
                        : "in full: the disk cannot share blocks (btrfs and xfs can)",
                 ""});
}

/// nullopt when RUNNER_CACHE_SIZE is wrong; that is said.
std::optional<std::uint64_t> layer_budget(Findings& out, const fs::path& data) {
  try {
    return cache::default_budget(data);
  } catch (const Error& error) {
    out.push_back({"layers", Health::problem, error.what(), "write RUNNER_CACHE_SIZE like 50GB"});
    return std::nullopt;
  }
}

void check_layers(Findings& out, const fs::path& data) {
  const auto budget = layer_budget(out, data);
  if (!budget) return;
  const bool limited = *budget != cache::kNoBudget;
  const std::string limit = limited ? "of at most " + format_bytes(*budget) : "without a limit";
  if (!fs::exists(layers_directory(data) / "index.db")) {
    out.push_back({"layers", Health::ok, "none yet, " + limit, ""});
    return;
  }
  const SystemClock clock;
  const auto store = cache::LayerStore::open(layers_directory(data), clock);
  const cache::VerifyReport report = store->verify(false);
  cache::CollectPolicy look;
  look.dry_run = true;
  const cache::CollectReport kept = store->collect(look);
  const std::uint64_t size = kept.kept_bytes + kept.bytes;
  Finding finding{"layers", Health::ok,
                  format_bytes(size) + " " + limit + ": " + std::to_string(report.entries) + " entries on " +
                      std::to_string(report.layers) + " layers",
                  ""};
  if (limited && size > *budget) {
    finding.health = Health::warning;
    finding.mend = "'runner cache gc' removes what was not used for longest";
  }
  out.push_back(std::move(finding));
  for (std::size_t i = 0; i < report.problems.size() && i < kMostProblems; ++i) {
    out.push_back({"layers", Health::problem,
                   in_quotes(report.problems[i].path.native()) + ": " + report.problems[i].what,
                   "'runner cache gc' takes it out; jobs miss it until then"});
  }
  if (report.problems.size() > kMostProblems) {
    out.push_back({"layers", Health::problem,
                   "and " + std::to_string(report.problems.size() - kMostProblems) + " more",
                   "'runner cache verify' names all"});
  }
}

std::optional<fs::path> find_program(std::string_view name) {
  const std::string path_variable = variable("PATH");
  for (const std::string_view directory : split(path_variable, ':')) {
    const fs::path path = fs::path(directory.empty() ? "." : directory) / name;
    if (::access(path.c_str(), X_OK) == 0 && fs::is_regular_file(path)) return path;
  }
  return std::nullopt;
}

void check_git(Findings& out) {
  out.push_back({"git", Health::ok, "libgit2 " + git::library_version(), ""});
  if (const auto lfs = find_program("git-lfs")) {
    out.push_back({"git-lfs", Health::ok, lfs->string(), ""});
  } else {
    out.push_back(
        {"git-lfs", Health::warning, "not found", "with it, files kept in LFS are more than pointers"});
  }
}

void check_shell(Findings& out) {
  try {
    const engine::Shell shell = engine::find_shell();
    Finding finding{"shell", Health::ok, shell.path, ""};
    if (!shell.bash) {
      finding.health = Health::warning;
      finding.mend = "scripts written for bash may fail: install bash";
    }
    out.push_back(std::move(finding));
  } catch (const Error& error) {
    out.push_back({"shell", Health::problem, error.what(), "install bash"});
  }
}

void check_containers(Findings& out) {
  const std::vector<ContainerEngine> engines = find_container_engines();
  for (const ContainerEngine& engine : engines) {
    const std::string where = engine.name + " at " + in_quotes(engine.socket.native());
    if (engine.version.empty()) {
      out.push_back({"containers", Health::warning, where + " does not answer: " + engine.why_not,
                     "start it, and let this user write to its socket"});
    } else {
      out.push_back({"containers", Health::ok,
                     engine.name + " " + engine.version + " at " + in_quotes(engine.socket.native()), ""});
    }
  }
  if (engines.empty()) {
    out.push_back({"containers", Health::warning, "none",
                   "jobs with an image need docker or podman, or 'runner exec --executor shell'"});
  }
}

/// A check that cannot be done is a finding as well.
template <typename Check>
void attempt(Findings& out, std::string_view topic, std::string_view mend, const Check& check) {
  try {
    check();
  } catch (const Error& error) {
    const bool full = error.system() == std::errc::no_space_on_device;
    out.push_back(
        {std::string(topic), Health::problem, error.what(), full ? cache::kFullDiskMend : std::string(mend)});
  } catch (const std::exception& error) {
    out.push_back({std::string(topic), Health::problem, error.what(), std::string(mend)});
  }
}

}  // namespace

std::string_view to_string(Health health) noexcept {
  switch (health) {
    case Health::ok:
      return "ok";
    case Health::warning:
      return "warning";
    case Health::problem:
      break;
  }
  return "problem";
}

std::vector<Finding> examine(const fs::path& data) {
  Findings out;
  check_kernel(out);
  attempt(out, "data", "choose another place with --data or RUNNER_DATA", [&] {
    const TrialPlace place(data);
    check_data(out, data, place);
    attempt(out, "workspaces", "see the kernel's log", [&] { check_workspaces(out, data); });
    attempt(out, "layers", "'runner cache verify' tells more", [&] { check_layers(out, data); });
  });
  check_git(out);
  check_shell(out);
  check_containers(out);
  return out;
}

}  // namespace runner::cli
