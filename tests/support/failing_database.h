#pragma once
// A database in memory that cannot be written while the test says so.

#include <atomic>
#include <memory>

#include "runner/base/error.h"
#include "runner/database/sqlite.h"

namespace runner::test {

class FailingDatabase final : public database::Database {
 public:
  /// `away` outlives it; any thread may set it.
  explicit FailingDatabase(const std::atomic<bool>& away)
      : away_(away), database_(database::open_sqlite_memory()) {}

  database::Dialect dialect() const noexcept override { return database_->dialect(); }
  std::unique_ptr<database::SqlTx> begin(database::TxMode mode) override {
    if (away_ && mode == database::TxMode::write) throw Error(ErrorCode::unavailable, "the disk is full");
    return database_->begin(mode);
  }
  void checkpoint() override { database_->checkpoint(); }

 private:
  const std::atomic<bool>& away_;
  std::unique_ptr<database::Database> database_;
};

}  // namespace runner::test
