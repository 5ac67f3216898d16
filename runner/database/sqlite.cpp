#include "runner/database/sqlite.h"

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
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
  void checkpoint() override {}

 private:
  std::mutex mutex_;
  SqliteConnection connection_{":memory:"};
};

/// Changing the mode of a new file reports 'busy' at once, without the timeout, while another process does
/// the same.
void set_wal(SqliteConnection& connection) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(5);
  for (;;) {
    try {
      connection.script("PRAGMA journal_mode = WAL");
      return;
    } catch (const Error& e) {
      if (e.code() != ErrorCode::unavailable || std::chrono::steady_clock::now() > deadline) throw;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }
}

std::unique_ptr<SqliteConnection> open_file(const std::filesystem::path& path, Durability durability) {
  auto connection = std::make_unique<SqliteConnection>(path.string());
  connection->script("PRAGMA busy_timeout = 5000");
  // A new file is synced with what is written into it later, and empty until then.
  if (durability == Durability::normal) connection->script("PRAGMA synchronous = OFF");
  set_wal(*connection);
  if (durability == Durability::full) {
    connection->script("PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL");
  } else {
    // Pages of 4 KiB: the log is written back by checkpoint(), by a commit only when that is not called.
    connection->script(
        "PRAGMA foreign_keys = ON; PRAGMA synchronous = NORMAL; PRAGMA wal_autocheckpoint = 4000");
    connection->keep_log_on_close();
  }
  return connection;
}

/// Readers, a few: opening one costs more than waiting for the end of a transaction.
class ReaderPool {
 public:
  ReaderPool(std::filesystem::path path, Durability durability)
      : path_(std::move(path)), durability_(durability) {}
  std::unique_ptr<SqliteConnection> take() {
    std::unique_lock lock(mutex_);
    returned_.wait(lock, [&] { return !idle_.empty() || open_ < kMost; });
    if (!idle_.empty()) {
      auto connection = std::move(idle_.back());
      idle_.pop_back();
      return connection;
    }
    ++open_;
    lock.unlock();
    try {
      auto connection = open_file(path_, durability_);
      connection->script("PRAGMA query_only = ON");
      return connection;
    } catch (...) {
      lock.lock();
      --open_;
      returned_.notify_one();
      throw;
    }
  }
  void give_back(std::unique_ptr<SqliteConnection> connection) {
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(connection));
    returned_.notify_one();
  }

 private:
  static constexpr std::size_t kMost = 8;
  std::filesystem::path path_;
  Durability durability_;
  std::mutex mutex_;
  std::condition_variable returned_;
  std::size_t open_ = 0;
  std::vector<std::unique_ptr<SqliteConnection>> idle_;
};

class ReadTx final : public SqlTx {
 public:
  explicit ReadTx(ReaderPool& pool) : pool_(pool), connection_(pool.take()) {
    try {
      inner_.emplace(*connection_, 0, TxMode::read);
    } catch (...) {
      pool_.give_back(std::move(connection_));
      throw;
    }
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
  void checkpoint() override {
    const std::lock_guard lock(write_mutex_);
    writer_->script("PRAGMA wal_checkpoint(PASSIVE)");
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
