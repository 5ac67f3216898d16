#include "runner/cli/work_place.h"

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <vector>

#include "runner/base/error.h"
#include "runner/base/log.h"
#include "runner/cli/run_directory.h"

namespace runner::cli {
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> temporary_directories() {
  std::vector<fs::path> out{"/var/tmp"};
  const char* named = std::getenv("TMPDIR");
  if (named != nullptr && *named == '/') out.emplace_back(named);
  out.emplace_back("/tmp");
  // Memory: last, because workspaces may be large.
  out.emplace_back("/dev/shm");
  return out;
}

// nullopt when nothing can be written there.
std::optional<cache::MountProbe> probe(const fs::path& place, const fs::path& memory) {
  try {
    return cache::recall_mount_mode(place, memory);
  } catch (const Error& error) {
    log_info("exec", "no workspaces in '" + place.string() + "': " + error.what());
    return std::nullopt;
  }
}

}  // namespace

bool lies_in(const fs::path& path, const fs::path& directory) {
  const fs::path inner = fs::weakly_canonical(path), outer = fs::weakly_canonical(directory);
  return std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end()).first == outer.end();
}

fs::path mount_memory(const fs::path& data) {
  return data / "overlay-works";
}

WorkPlace choose_work_place(const fs::path& data, const fs::path& project_root) {
  std::optional<WorkPlace> copying;
  const auto try_place = [&](const fs::path& place) -> std::optional<WorkPlace> {
    if (lies_in(place, project_root)) return std::nullopt;
    const auto probed = probe(place, mount_memory(data));
    if (!probed) return std::nullopt;
    WorkPlace found{place, probed->mode};
    if (found.mode != cache::MountMode::copy) return found;
    log_info("exec", "only copies in '" + place.string() + "': " + probed->why);
    if (!copying) copying = found;
    return std::nullopt;
  };
  if (auto found = try_place(data / "work")) return *found;
  const char* chosen = std::getenv("RUNNER_WORKSPACE");
  if (copying && chosen != nullptr && std::string(chosen) == "copy") return *copying;
  for (const fs::path& temporary : temporary_directories()) {
    if (lies_in(temporary, project_root)) continue;
    const auto place = private_temporary(temporary);
    if (!place) continue;
    if (auto found = try_place(*place)) return *found;
  }
  if (copying) return *copying;
  throw Error(ErrorCode::unavailable,
              "there is no place for workspaces: neither '" + (data / "work").string() +
                  "' nor a temporary directory outside the project can be written to");
}

}  // namespace runner::cli
