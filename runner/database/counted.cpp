#include "runner/database/counted.h"

#include <chrono>
#include <utility>

#include "runner/base/error.h"

namespace runner::database {
namespace {

/// Calls, and counts what it throws.
template <typename Call>
auto noting(DatabaseCounts& counts, const Call& call) {
  try {
    return call();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::conflict) counts.errors.fetch_add(1, std::memory_order_relaxed);
    throw;
  }
}

class CountedTx final : public SqlTx {
 public:
  CountedTx(std::unique_ptr<SqlTx> tx, DatabaseCounts& counts) : tx_(std::move(tx)), counts_(counts) {}

  std::vector<Row> query(std::string_view sql, const std::vector<Value>& args) override {
    writes_ = writes_ || !sql.starts_with("SELECT");
    return noting(counts_, [&] { return tx_->query(sql, args); });
  }
  std::int64_t exec(std::string_view sql, const std::vector<Value>& args) override {
    writes_ = true;
    return noting(counts_, [&] { return tx_->exec(sql, args); });
  }
  void script(std::string_view sql) override {
    writes_ = true;
    noting(counts_, [&] { tx_->script(sql); });
  }
  void commit() override {
    const auto began = std::chrono::steady_clock::now();
    noting(counts_, [&] { tx_->commit(); });
    if (writes_) counts_.commits.add(std::chrono::steady_clock::now() - began);
  }

 private:
  const std::unique_ptr<SqlTx> tx_;
  DatabaseCounts& counts_;
  bool writes_ = false;
};

class CountedDatabase final : public Database {
 public:
  CountedDatabase(std::unique_ptr<Database> database, DatabaseCounts& counts)
      : database_(std::move(database)), counts_(counts) {}

  Dialect dialect() const noexcept override { return database_->dialect(); }
  std::unique_ptr<SqlTx> begin(TxMode mode) override {
    return std::make_unique<CountedTx>(noting(counts_, [&] { return database_->begin(mode); }), counts_);
  }
  void checkpoint() override {
    noting(counts_, [&] { database_->checkpoint(); });
  }

 private:
  const std::unique_ptr<Database> database_;
  DatabaseCounts& counts_;
};

}  // namespace

std::unique_ptr<Database> counted(std::unique_ptr<Database> database, DatabaseCounts& counts) {
  return std::make_unique<CountedDatabase>(std::move(database), counts);
}

}  // namespace runner::database
