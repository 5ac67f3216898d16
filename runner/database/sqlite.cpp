#include "runner/database/sqlite.h"

#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "runner/base/error.h"
#include "runner/base/log.h"
#include "runner/database/sqlite_connection.h"

namespace runner::database {
namespace {

/// A transaction that holds whatever keeps its connection its own (`Hold`) until it ends.
template <typename Hold>
class SqliteTx final : public SqlTx {
 public:
  SqliteTx(SqliteConnection& connection, Hold hold, TxMode mode)
      : hold_(std::move(hold)), connection_(connection) {
    connection_.exec(mode == TxMode::write ? "BEGIN IMMEDIATE" : "BEGIN", {});
  }
  ~SqliteTx() override {
    if (!connection_.in_transaction()) return;
    try {
      connection_.exec("ROLLBACK", {});
    } catch (const Error& e) {
      log_error("database", e.what());
    }
  }

  std::vector<Row> query(std::string_view sql, const std::vector<Value>& args) override {
    return connection_.query(sql, args);
  }
  std::int64_t exec(std::string_view sql, const std::vector<Value>& args) override {
    return connection_.exec(sql, args);
  }
  void script(std::string_view sql) override { connection_.script(sql); }
  void commit() override { connection_.exec("COMMIT", {}); }

 private:
  Hold hold_;
  SqliteConnection& connection_;
};

class MemoryDatabase final : public Database {
 public:
  MemoryDatabase() { connection_.script("PRAGMA foreign_keys = ON"); }
  Dialect dialect() const noexcept override { return Dialect::sqlite; }
  std::unique_ptr<SqlTx> begin(TxMode mode) override {
    using Hold = std::unique_lock<std::mutex>;
    return std::make_unique<SqliteTx<Hold>>(connection_, Hold(mutex_), mode);
  }

 private:
  std::mutex mutex_;
  SqliteConnection connection_{":memory:"};
};

std::unique_ptr<SqliteConnection> open_file(const std::filesystem::path& path, Durability durability) {
  auto connection = std::make_unique<SqliteConnection>(path.string());
  connection->script("PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON");
  connection->script(durability == Durability::full ? "PRAGMA synchronous = FULL"
                                                    : "PRAGMA synchronous = NORMAL");
  return connection;
}

/// Readers that are not in use, so that the next transaction need not open one.
class ReaderPool {
 public:
  ReaderPool(std::filesystem::path path, Durability durability)
      : path_(std::move(path)), durability_(durability) {}
  std::unique_ptr<SqliteConnection> take() {
    {
      const std::lock_guard lock(mutex_);
      if (!idle_.empty()) {
        auto connection = std::move(idle_.back());
        idle_.pop_back();
        return connection;
      }
    }
    return open_file(path_, durability_);
  }
  void give_back(std::unique_ptr<SqliteConnection> connection) {
    const std::lock_guard lock(mutex_);
    if (idle_.size() < kKept) idle_.push_back(std::move(connection));
  }

 private:
  static constexpr std::size_t kKept = 4;
  std::filesystem::path path_;
  Durability durability_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<SqliteConnection>> idle_;
};

class ReadTx final : public SqlTx {
 public:
  explicit ReadTx(ReaderPool& pool) : pool_(pool), connection_(pool.take()) {
    inner_.emplace(*connection_, 0, TxMode::read);
    connection_->script("PRAGMA query_only = ON");
  }
  ~ReadTx() override {
    inner_.reset();
    pool_.give_back(std::move(connection_));
  }
  std::vector<Row> query(std::string_view sql, const std::vector<Value>& args) override {
    return inner_->query(sql, args);
  }
  std::int64_t exec(std::string_view sql, const std::vector<Value>& args) override {
    return inner_->exec(sql, args);
  }
  void script(std::string_view sql) override { inner_->script(sql); }
  void commit() override { inner_->commit(); }

 private:
  ReaderPool& pool_;
  std::unique_ptr<SqliteConnection> connection_;
  std::optional<SqliteTx<int>> inner_;
};

class FileDatabase final : public Database {
 public:
  FileDatabase(const std::filesystem::path& path, Durability durability)
      : writer_(open_file(path, durability)), readers_(path, durability) {}
  Dialect dialect() const noexcept override { return Dialect::sqlite; }
  std::unique_ptr<SqlTx> begin(TxMode mode) override {
    if (mode == TxMode::read) return std::make_unique<ReadTx>(readers_);
    using Hold = std::unique_lock<std::mutex>;
    return std::make_unique<SqliteTx<Hold>>(*writer_, Hold(write_mutex_), mode);
  }

 private:
  std::mutex write_mutex_;
  std::unique_ptr<SqliteConnection> writer_;
  ReaderPool readers_;
};

}  // namespace

std::unique_ptr<Database> open_sqlite_memory() {
  return std::make_unique<MemoryDatabase>();
}

std::unique_ptr<Database> open_sqlite_file(const std::filesystem::path& path, Durability durability) {
  return std::make_unique<FileDatabase>(path, durability);
}

}  // namespace runner::database
