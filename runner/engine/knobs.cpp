#include "runner/engine/knobs.h"

#include <algorithm>
#include <utility>

#include "runner/base/duration.h"
#include "runner/base/text.h"

namespace runner::engine {
namespace {

enum class Kind : std::uint8_t { text, boolean, number, duration, level, format };

enum class Reader : std::uint8_t {
  none,
  source_knobs,  // when the files are those of a commit
  job            // always
};

struct Knob {
  std::string_view name;
  Kind kind;
  std::string_view neutral;  // the value that asks for what happens anyway
  Reader reader = Reader::none;
};

constexpr Knob kKnobs[] = {
    {"ARTIFACT_DOWNLOAD_ATTEMPTS", Kind::number, "1"},
    {"CACHE_COMPRESSION_FORMAT", Kind::format, "zip"},
    {"CACHE_COMPRESSION_LEVEL", Kind::level, "default"},
    {"CACHE_REQUEST_TIMEOUT", Kind::number, ""},
    {"CI_DEBUG_SERVICES", Kind::boolean, "false"},
    {"EXECUTOR_JOB_SECTION_ATTEMPTS", Kind::number, "1"},
    {"FF_NETWORK_PER_BUILD", Kind::boolean, "false"},
    {"FF_TIMESTAMPS", Kind::boolean, "false"},
    {"GET_SOURCES_ATTEMPTS", Kind::number, "1"},
    {"GIT_CHECKOUT", Kind::boolean, "true", Reader::source_knobs},
    {"GIT_CLEAN_FLAGS", Kind::text, ""},
    {"GIT_CLONE_EXTRA_FLAGS", Kind::text, ""},
    {"GIT_CLONE_PATH", Kind::text, ""},
    {"GIT_DEPTH", Kind::number, "", Reader::source_knobs},
    {"GIT_FETCH_EXTRA_FLAGS", Kind::text, ""},
    {"GIT_LFS_SKIP_SMUDGE", Kind::boolean, "false", Reader::source_knobs},
    {"GIT_SUBMODULE_DEPTH", Kind::number, "", Reader::source_knobs},
    {"GIT_SUBMODULE_FORCE_HTTPS", Kind::boolean, "false"},
    {"GIT_SUBMODULE_PATHS", Kind::text, "", Reader::source_knobs},
    {"GIT_SUBMODULE_STRATEGY", Kind::text, "none", Reader::source_knobs},
    {"GIT_SUBMODULE_UPDATE_FLAGS", Kind::text, ""},
    {"RESTORE_CACHE_ATTEMPTS", Kind::number, "1", Reader::job},
    {"RUNNER_GENERATE_ARTIFACTS_METADATA", Kind::boolean, "false"},
    {"SECRETS_RETRIEVAL_ATTEMPTS", Kind::number, "1"},
    {"TRANSFER_METER_FREQUENCY", Kind::duration, "0"},
};

/// What a value should be; "" when it is.
std::string_view expected(Kind kind, std::string_view text) {
  switch (kind) {
    case Kind::text:
      return "";
    case Kind::boolean:
      return parse_flag(text) ? "" : "true or false";
    case Kind::number:
      return parse_integer(text).value_or(-1) >= 0 ? "" : "a number";
    case Kind::duration:
      return text == "0" || parse_duration(text) ? "" : "a duration";
    case Kind::level:
      return compression_level(text) ? "" : "fastest, fast, default, slow or slowest";
    case Kind::format:
      return archive_format(text) ? "" : "zip or tarzstd";
  }
  return "";
}

bool asks_for_nothing(const Knob& knob, std::string_view text) {
  if (text == knob.neutral) return true;
  return knob.kind == Kind::boolean && parse_flag(text) == parse_flag(knob.neutral);
}

}  // namespace

std::string knobs_without_effect(const std::map<std::string, std::string>& values, bool of_commit) {
  std::string names;
  for (const Knob& knob : kKnobs) {
    const auto found = values.find(std::string(knob.name));
    if (found == values.end() || found->second.empty() || knob.reader == Reader::job) continue;
    if (of_commit && knob.reader == Reader::source_knobs) continue;
    const std::string& text = found->second;
    if (asks_for_nothing(knob, text) || !expected(knob.kind, text).empty()) continue;
    if (!names.empty()) names += ", ";
    names += knob.name;
  }
  return names;
}

std::vector<std::string> wrong_knobs(const std::map<std::string, std::string>& values, bool of_commit) {
  std::vector<std::string> warnings;
  for (const Knob& knob : kKnobs) {
    const auto found = values.find(std::string(knob.name));
    if (found == values.end() || found->second.empty()) continue;
    if (of_commit && knob.reader == Reader::source_knobs) continue;  // they are warned of there
    const std::string_view should = expected(knob.kind, found->second);
    if (should.empty()) continue;
    warnings.push_back(std::string(knob.name) + " should be " + std::string(should) + ", not '" +
                       found->second + "'; it is taken as unset");
  }
  return warnings;
}

std::optional<bool> parse_flag(std::string_view text) {
  for (const std::string_view yes : {"1", "t", "T", "true", "TRUE", "True"}) {
    if (text == yes) return true;
  }
  for (const std::string_view no : {"0", "f", "F", "false", "FALSE", "False"}) {
    if (text == no) return false;
  }
  return std::nullopt;
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
