#pragma once
// Which archives stay and which go. Pure; any thread.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "runner/base/clock.h"

namespace runner::artifacts {

/// What jobs keep that say nothing about it.
inline constexpr std::chrono::hours kDefaultExpiry{30 * 24};

struct RetentionItem {
  std::int64_t id = 0;
  std::string project, ref, job;
  std::int64_t run = 0;  // numbers of a project's runs grow with time
  bool success = false;  // of the job
  std::optional<TimePoint> expires_at;
};

struct RetentionPolicy {
  bool keep_latest = true;          // of each project, ref and job: its newest success stays, also expired
  std::optional<std::size_t> runs;  // of each project: only what its newest runs left stays
};

struct Retention {
  std::vector<std::int64_t> expired, beyond;  // ids that go: past their time; of older runs
  std::vector<std::int64_t> latest;           // ids of the newest success of their job
};

/// The ids of each list are in the order of `items`.
Retention retention(std::span<const RetentionItem> items, TimePoint now, const RetentionPolicy& policy);

}  // namespace runner::artifacts
