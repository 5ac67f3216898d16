#pragma once
// What a run leaves for people: archives, and the logs of jobs that failed. One thread, but for number();
// blocks on the disk.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

namespace runner::cli {

/// The runs of one project that are kept; older ones are removed.
inline constexpr std::size_t kKeptRuns = 10;

/// Files go to DATA/runs/PROJECT/NUMBER/JOB/NAME; a run that leaves nothing has no number.
class KeptFiles {
 public:
  /// `last_run` tells the number of the last run that is still known of, though its directory be gone; it is
  /// asked once something is kept.
  KeptFiles(std::filesystem::path data, std::filesystem::path project_root,
            std::function<std::uint64_t()> last_run = {});

  /// The number of this run. Others do not get it; a run that is asked has left something. Any thread. Throws
  /// Error.
  std::uint64_t number();
  /// Links `file`, which may be removed afterwards, to its place (copies it from another file system).
  /// Returns that place. Throws Error.
  std::filesystem::path keep(const std::filesystem::path& file, const std::string& job,
                             std::string_view name);
  /// All but the newest kKeptRuns runs and those in `stay` go, when this run has a number. Failures are
  /// logged.
  void remove_old(const std::set<std::uint64_t>& stay = {}) const noexcept;
  /// Runs that have a number and left no files go, but for the last one. Failures are logged.
  void remove_empty() const noexcept;

 private:
  const std::filesystem::path& run_directory();
  const std::filesystem::path& directory_of(const std::string& job);
  /// Empty as long as the run has no number. Another thread may be about to get one.
  std::filesystem::path project_if_numbered() const;

  std::filesystem::path data_, project_root_;
  std::function<std::uint64_t()> last_run_;
  mutable std::mutex mutex_;             // of the next three
  std::filesystem::path project_, run_;  // empty as long as nothing was kept
  std::uint64_t number_ = 0;
  std::map<std::string, std::filesystem::path> jobs_;
};

/// `text` as the name of one file that needs no quotes in a shell: letters, digits, "._-" and what is not
/// ASCII stay, anything else is '-'. Never empty, never hidden, at most 100 bytes.
std::string plain_file_name(std::string_view text);

}  // namespace runner::cli
