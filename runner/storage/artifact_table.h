#pragma once
// Which archives jobs left, and where they are.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "pipelines/status.h"
#include "runner/base/clock.h"
#include "runner/storage/store.h"

namespace runner::storage {

enum class ArtifactKind : std::uint8_t { archive, reports };
std::string_view to_string(ArtifactKind kind) noexcept;

/// Never changes.
struct ArtifactRecord {
  std::int64_t id = 0;
  std::string project;   // of a local run the working tree's top directory
  std::int64_t run = 0;  // number of the pipeline in its project
  std::string ref, sha;
  std::string job;
  pipelines::JobStatus job_status = pipelines::JobStatus::success;
  std::string name;  // of the file, with its extension
  ArtifactKind kind = ArtifactKind::archive;
  std::string format;  // "zip", "tar.zst"
  std::string path;    // where people find it; may be empty
  std::string sha256;  // of the archive
  std::uint64_t bytes = 0, files = 0;
  TimePoint created_at{};
  std::optional<TimePoint> expires_at;  // nullopt = never
  std::string expose_as, access;        // as the pipeline has them; may be empty
};

class Artifacts {
 public:
  explicit Artifacts(Tx& tx) noexcept : tx_(tx) {}
  /// `record.id` is not looked at. Returns the id it got.
  std::int64_t insert(const ArtifactRecord& record);
  std::optional<ArtifactRecord> find(std::int64_t id);
  /// Newest first, archives before reports. Without a project: of all.
  std::vector<ArtifactRecord> list(const std::optional<std::string>& project);
  /// How many records name an archive of this digest and format.
  std::int64_t count_of_digest(const std::string& sha256, const std::string& format);
  /// Fine when it is gone already.
  void remove(std::int64_t id);

 private:
  Tx& tx_;
};

}  // namespace runner::storage
