#include "executors/step_place.h"

#include <sys/random.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "runner/base/error.h"
#include "runner/base/files.h"

namespace runner::executors {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kStepPrefix = "step.";

}  // namespace

std::string random_cookie() {
  unsigned char raw[16];
  if (::getrandom(raw, sizeof raw, 0) != sizeof raw) throw_errno("cannot get random bytes");
  std::string text;
  for (const unsigned char byte : raw) {
    text += "0123456789abcdef"[byte >> 4U];
    text += "0123456789abcdef"[byte & 15U];
  }
  return text;
}

bool names_directory(const fs::path& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

StepPlace step_place(const fs::path& state_dir, std::string_view cookie, std::string_view step) {
  return {state_dir / (std::string(kStepPrefix) + std::string(step)),
          "RUNNER_STEP_COOKIE=" + std::string(cookie) + "." + std::string(step)};
}

void check_step_id(const std::string& id) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.';
  };
  constexpr std::size_t kMaxId = 100;
  if (id.empty() || id.size() > kMaxId || !std::all_of(id.begin(), id.end(), allowed))
    throw Error(ErrorCode::invalid_input,
                "step id '" + id + "' may hold letters, digits, '_', '-' and '.' only");
}

StepPlace make_step_place(const fs::path& state_dir, std::string_view cookie, const StepSpec& step) {
  check_step_id(step.id.value);
  if (step.argv.empty()) throw Error(ErrorCode::invalid_input, "step '" + step.id.value + "' has no command");
  StepPlace place = step_place(state_dir, cookie, step.id.value);
  if (::mkdir(place.dir.c_str(), 0700) != 0) {
    if (errno == EEXIST) throw Error(ErrorCode::conflict, "step '" + step.id.value + "' was started before");
    throw_errno("cannot make '" + place.dir.native() + "'");
  }
  return place;
}

void end_steps(const fs::path& state_dir, std::string_view cookie, Deadline deadline) {
  std::error_code failed;
  for (const auto& entry : fs::directory_iterator(state_dir, failed)) {
    const std::string name = entry.path().filename().native();
    if (name.compare(0, kStepPrefix.size(), kStepPrefix) != 0) continue;
    end_step(step_place(state_dir, cookie, std::string_view(name).substr(kStepPrefix.size())), deadline);
    remove_tree(entry.path());
  }
  if (failed) throw Error(failed, "cannot read '" + state_dir.native() + "'");
}

}  // namespace runner::executors
