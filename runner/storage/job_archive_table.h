#pragma once
// Archives that a server keeps for its jobs, and for how long.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "runner/base/clock.h"
#include "runner/storage/artifact_table.h"
#include "runner/storage/store.h"

namespace runner::storage {

struct JobArchiveRecord {
  std::int64_t job = 0;  // the attempt
  ArtifactKind kind = ArtifactKind::archive;
  std::int64_t project = 0, pipeline = 0;
  std::string ref, name;  // of the pipeline, of the job
  bool success = false;   // of the attempt
  std::string path;       // below the data directory
  TimePoint created_at{};
  std::optional<TimePoint> expires_at;  // nullopt: never
};

class JobArchives {
 public:
  explicit JobArchives(Tx& tx) noexcept : tx_(tx) {}
  /// In the transaction that writes the attempt's result. Fine when it is there already.
  void put(const JobArchiveRecord& record);
  std::optional<JobArchiveRecord> find(std::int64_t job, ArtifactKind kind);
  std::vector<JobArchiveRecord> of_pipeline(std::int64_t pipeline);
  /// Those whose time is over, the longest first; not those of the newest pipeline of their project and ref
  /// in which the job succeeded, which stay until there is a newer one.
  std::vector<JobArchiveRecord> expired(TimePoint now, std::size_t limit);
  /// Fine when it is gone already. True: no row names its file any more.
  bool remove(const JobArchiveRecord& record);
  bool names(const std::string& path);

 private:
  Tx& tx_;
};

}  // namespace runner::storage
