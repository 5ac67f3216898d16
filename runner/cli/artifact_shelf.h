#pragma once
// The archives that outlive their runs: DATA/artifacts/ab/abcdef....zip by digest, each with a second name
// among the files of its run, and a row in DATA/runner.db. Any number of processes; one thread each. Blocks
// on the disk.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "runner/base/clock.h"
#include "runner/storage/artifact_table.h"

namespace runner::cli {

class ArtifactShelf {
 public:
  ArtifactShelf(std::filesystem::path data, const Clock& clock);

  /// The files at `record.path` get their place and their rows. A process that is killed meanwhile leaves no
  /// row without its file. Throws Error; no row is written then.
  void add(std::span<const storage::ArtifactRecord> records);

  /// Removes what is expired, what runs of `project` older than its newest `runs` left, and files that a
  /// killed process left without a row; never what is the newest success of its job. Throws Error.
  void tidy(const std::string& project, std::size_t runs);

  /// Newest first; without a project all. Nothing is made when there is no database yet.
  std::vector<storage::ArtifactRecord> list(const std::optional<std::string>& project);
  /// Which of `records` are the newest success of their job: those stay past their time.
  std::vector<std::int64_t> latest_of(std::span<const storage::ArtifactRecord> records) const;
  void remove(std::span<const storage::ArtifactRecord> records);

  /// The archive on disk, by either name. nullopt: it is gone.
  std::optional<std::filesystem::path> find_file(const storage::ArtifactRecord& record) const;

 private:
  storage::Store* existing_store();
  storage::Store& store();
  std::filesystem::path place_of(const storage::ArtifactRecord& record) const;
  void shelve(const storage::ArtifactRecord& record) const;
  void remove_locked(std::span<const storage::ArtifactRecord> records);
  void remove_orphans(std::span<const storage::ArtifactRecord> records) const;

  std::filesystem::path data_, root_;
  const Clock& clock_;
  std::unique_ptr<storage::Store> store_;
};

}  // namespace runner::cli
