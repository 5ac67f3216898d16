#pragma once
// A database that counts what becomes of its transactions.

#include <atomic>
#include <cstdint>
#include <memory>

#include "runner/base/histogram.h"
#include "runner/database/sql.h"

namespace runner::database {

/// Any thread; counting takes no lock.
struct DatabaseCounts {
  Histogram commits{kShortTimes};  // of transactions with statements that may write
  /// What the database failed to do: busy, a full or broken disk, a damaged file. Not constraints that were
  /// violated, as one expects that. What is tried again counts each time.
  std::atomic<std::uint64_t> errors{0};
};

/// The same database. `counts` outlives it.
std::unique_ptr<Database> counted(std::unique_ptr<Database> database, DatabaseCounts& counts);

}  // namespace runner::database
