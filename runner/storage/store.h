#pragma once
// Transactions over the repositories. Any thread.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>

#include "runner/base/clock.h"
#include "runner/database/sql.h"

namespace runner::storage {

/// No list of a repository that takes a limit is longer than this.
inline constexpr std::size_t kMaxPage = 1000;

/// What a transaction's body works with; the repositories (tables.h) take it.
class Tx {
 public:
  Tx(database::SqlTx& sql, database::Dialect dialect) noexcept : sql_(sql), dialect_(dialect) {}
  database::SqlTx& sql() noexcept { return sql_; }
  database::Dialect dialect() const noexcept { return dialect_; }
  /// Takes `count` ids of a sequence and returns the first.
  std::int64_t take_ids(const char* sequence, std::int64_t count);

 private:
  database::SqlTx& sql_;
  database::Dialect dialect_;
};

class Store {
 public:
  /// Migrates the database. `path` is for messages. Throws Error.
  Store(std::unique_ptr<database::Database> database, const Clock& clock, std::filesystem::path path = {});
  /// Of a database that has its tables.
  explicit Store(std::unique_ptr<database::Database> database);
  /// Runs `body` in one transaction and commits. Repeats it, a bounded number of times, on Error{unavailable}
  /// only, so `body` must touch nothing but the Tx (or start afresh each time).
  void write(const std::function<void(Tx&)>& body);
  void read(const std::function<void(Tx&)>& body) const;

 private:
  std::unique_ptr<database::Database> database_;
  std::filesystem::path path_;
};

/// Everything in memory: for tests.
std::unique_ptr<Store> make_memory_store(const Clock& clock);
/// In memory, with the tables of local_schema.h alone: for one pipeline whose run is not durable.
std::unique_ptr<Store> make_local_store();
std::unique_ptr<Store> open_file_store(const std::filesystem::path& path, const Clock& clock);

}  // namespace runner::storage
