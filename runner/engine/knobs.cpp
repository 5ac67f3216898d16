#include "runner/engine/knobs.h"

#include <algorithm>
#include <utility>

#include "runner/base/text.h"

namespace runner::engine {
namespace {

/// A knob, and the value that asks for what happens anyway.
constexpr std::pair<std::string_view, std::string_view> kWithoutEffect[] = {
    {"ARTIFACT_DOWNLOAD_ATTEMPTS", "1"},
    {"CACHE_COMPRESSION_FORMAT", "zip"},
    {"CACHE_COMPRESSION_LEVEL", "default"},
    {"CACHE_REQUEST_TIMEOUT", ""},
    {"EXECUTOR_JOB_SECTION_ATTEMPTS", "1"},
    {"FF_NETWORK_PER_BUILD", "false"},
    {"FF_TIMESTAMPS", "false"},
    {"GET_SOURCES_ATTEMPTS", "1"},
    {"GIT_CHECKOUT", "true"},
    {"GIT_CLEAN_FLAGS", ""},
    {"GIT_CLONE_EXTRA_FLAGS", ""},
    {"GIT_CLONE_PATH", ""},
    {"GIT_DEPTH", ""},
    {"GIT_FETCH_EXTRA_FLAGS", ""},
    {"GIT_LFS_SKIP_SMUDGE", "false"},
    {"GIT_SUBMODULE_DEPTH", ""},
    {"GIT_SUBMODULE_FORCE_HTTPS", "false"},
    {"GIT_SUBMODULE_PATHS", ""},
    {"GIT_SUBMODULE_STRATEGY", "none"},
    {"GIT_SUBMODULE_UPDATE_FLAGS", ""},
    {"SECRETS_RETRIEVAL_ATTEMPTS", "1"},
    {"TRANSFER_METER_FREQUENCY", ""},
};

/// Those that source_knobs() reads.
constexpr std::string_view kOfCommit[] = {"GIT_CHECKOUT",        "GIT_DEPTH",
                                          "GIT_LFS_SKIP_SMUDGE", "GIT_SUBMODULE_DEPTH",
                                          "GIT_SUBMODULE_PATHS", "GIT_SUBMODULE_STRATEGY"};

}  // namespace

std::string knobs_without_effect(const std::map<std::string, std::string>& values, bool of_commit) {
  std::string names;
  for (const auto& [knob, neutral] : kWithoutEffect) {
    const auto found = values.find(std::string(knob));
    if (found == values.end() || found->second.empty() || found->second == neutral) continue;
    if (of_commit && std::find(std::begin(kOfCommit), std::end(kOfCommit), knob) != std::end(kOfCommit))
      continue;
    if (!names.empty()) names += ", ";
    names += knob;
  }
  return names;
}

int attempts_of(std::string_view text) {
  constexpr std::int64_t kMost = 10;
  return static_cast<int>(std::clamp<std::int64_t>(parse_integer(text).value_or(1), 1, kMost));
}

std::optional<artifacts::ArchiveFormat> archive_format(std::string_view text) {
  if (text.empty() || text == "zip") return artifacts::ArchiveFormat::zip;
  if (text == "tarzstd") return artifacts::ArchiveFormat::tar_zst;
  return std::nullopt;
}

std::optional<int> compression_level(std::string_view text) {
  constexpr std::pair<std::string_view, int> kLevels[] = {{"", artifacts::kDefaultCompression},
                                                          {"default", artifacts::kDefaultCompression},
                                                          {"fastest", 0},
                                                          {"fast", 1},
                                                          {"slow", 7},
                                                          {"slowest", 9}};
  for (const auto& [name, level] : kLevels) {
    if (text == name) return level;
  }
  return std::nullopt;
}

}  // namespace runner::engine
