#include "runner/cli/kept_files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "runner/base/digest.h"
#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/log.h"

namespace runner::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxNameBytes = 100;
constexpr std::size_t kDigestDigits = 8;

std::optional<std::uint64_t> number_of(const fs::path& run) {
  const std::string name = run.filename().string();
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc{} || end != name.data() + name.size()) return std::nullopt;
  return number;
}

std::vector<std::uint64_t> numbers_in(const fs::path& project) {
  std::vector<std::uint64_t> numbers;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(project, error)) {
    if (const auto number = number_of(entry.path())) numbers.push_back(*number);
  }
  std::sort(numbers.begin(), numbers.end());
  return numbers;
}

enum class Made { yes, is_there, no_parent };

Made make_new_directory(const fs::path& directory) {
  if (::mkdir(directory.c_str(), 0700) == 0) return Made::yes;
  if (errno == EEXIST) return Made::is_there;
  if (errno == ENOENT) return Made::no_parent;
  throw_errno("cannot make the directory '" + directory.string() + "'");
}

}  // namespace

std::string plain_file_name(std::string_view text) {
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || static_cast<unsigned char>(c) >= 0x80;
  };
  std::string out;
  for (const char c : text) {
    if (is_plain(c)) {
      out += c;
    } else if (!out.empty() && out.back() != '-') {
      out += '-';
    }
  }
  if (out.size() > kMaxNameBytes) {
    out.resize(kMaxNameBytes);
    // Not in the middle of a character.
    while (!out.empty() && (static_cast<unsigned char>(out.back()) & 0xC0U) == 0x80) out.pop_back();
    if (!out.empty() && static_cast<unsigned char>(out.back()) >= 0xC0) out.pop_back();
  }
  while (out.ends_with('-')) out.pop_back();
  if (out.starts_with('.')) out.front() = '_';
  return out.empty() ? "_" : out;
}

KeptFiles::KeptFiles(fs::path data, fs::path project_root, std::function<std::uint64_t()> last_run)
    : data_(std::move(data)), project_root_(std::move(project_root)), last_run_(std::move(last_run)) {}

const fs::path& KeptFiles::run_directory() {
  const std::lock_guard lock(mutex_);
  if (!run_.empty()) return run_;
  // Only now: most runs leave nothing, and the first digest of a process costs half a millisecond.
  project_ = data_ / "runs" /
             (plain_file_name(project_root_.filename().string()) + "-" +
              sha256_hex(project_root_.string()).substr(0, kDigestDigits));
  make_directories(project_, 0700);
  const std::vector<std::uint64_t> taken = numbers_in(project_);
  number_ = std::max(taken.empty() ? 0 : taken.back(), last_run_ ? last_run_() : 0);
  // Another run may take the number at the same time.
  while (run_.empty()) {
    const fs::path run = project_ / std::to_string(++number_);
    switch (make_new_directory(run)) {
      case Made::yes:
        run_ = run;
        break;
      case Made::is_there:
        break;
      case Made::no_parent:
        make_directories(project_, 0700);
        break;
    }
  }
  return run_;
}

std::uint64_t KeptFiles::number() {
  run_directory();
  return number_;
}

const fs::path& KeptFiles::directory_of(const std::string& job) {
  const fs::path run = run_directory();
  fs::path& directory = jobs_[job];
  const fs::path wanted = run / plain_file_name(job);
  // Names that differ may be the same when they are plain.
  for (int twin = 1; directory.empty();) {
    const fs::path free = twin == 1 ? wanted : fs::path(wanted.string() + "-" + std::to_string(twin));
    switch (make_new_directory(free)) {
      case Made::yes:
        directory = free;
        break;
      case Made::is_there:
        ++twin;
        break;
      // As long as the run is empty, another one may take it for one that left no files.
      case Made::no_parent:
        make_directories(run, 0700);
        break;
    }
  }
  return directory;
}

fs::path KeptFiles::keep(const fs::path& file, const std::string& job, std::string_view name) {
  fs::path kept = directory_of(job) / plain_file_name(name);
  if (::link(file.c_str(), kept.c_str()) == 0) return kept;
  if (errno == ENOENT) throw_errno("cannot keep '" + file.string() + "'");
  const fs::path part = kept.string() + ".part";
  std::error_code error;
  fs::copy_file(file, part, error);
  if (!error) fs::rename(part, kept, error);
  if (error) {
    std::error_code ignored;
    fs::remove(part, ignored);
    throw_errno(error.value(), "cannot keep '" + kept.string() + "'");
  }
  return kept;
}

fs::path KeptFiles::project_if_numbered() const {
  const std::lock_guard lock(mutex_);
  return run_.empty() ? fs::path() : project_;
}

void KeptFiles::remove_empty() const noexcept {
  try {
    const fs::path project = project_if_numbered();
    if (project.empty()) return;
    std::vector<std::uint64_t> numbers = numbers_in(project);
    // The highest number stays, so that none is given twice. Those that are not empty are not removed.
    if (!numbers.empty()) numbers.pop_back();
    for (const std::uint64_t number : numbers) ::rmdir((project / std::to_string(number)).c_str());
  } catch (const std::exception& error) {
    log_warn("exec", std::string("cannot remove what older runs left: ") + error.what());
  }
}

void KeptFiles::remove_old(const std::set<std::uint64_t>& stay) const noexcept {
  try {
    const fs::path project = project_if_numbered();
    if (project.empty()) return;
    std::vector<std::uint64_t> numbers = numbers_in(project);
    if (numbers.size() <= kKeptRuns) return;
    numbers.resize(numbers.size() - kKeptRuns);
    for (const std::uint64_t number : numbers) {
      if (!stay.contains(number)) remove_tree(project / std::to_string(number));
    }
  } catch (const std::exception& error) {
    log_warn("exec", std::string("cannot remove what older runs left: ") + error.what());
  }
}

}  // namespace runner::cli
