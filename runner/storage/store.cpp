#include "runner/storage/store.h"

#include <string>
#include <utility>

#include "runner/base/error.h"
#include "runner/base/text.h"
#include "runner/database/sqlite.h"
#include "runner/storage/counted_store.h"
#include "runner/storage/local_schema.h"
#include "runner/storage/migrations.h"

namespace runner::storage {
namespace {

constexpr int kTries = 4;

/// Names the file, and the mend.
void explain(Error& error, const std::filesystem::path& path) {
  if (path.empty()) return;  // in memory
  const std::string file = in_quotes(path.native());
  if (error.code() == ErrorCode::corrupt) {
    error.add_context("the database " + file + " is damaged; remove it to begin anew");
  } else {
    error.add_context("cannot use the database " + file);
  }
}

/// Throws Error.
std::unique_ptr<database::Database> open_database(const std::filesystem::path& path) {
  try {
    return database::open_sqlite_file(path, database::Durability::full);
  } catch (Error& error) {
    explain(error, path);
    throw;
  }
}

}  // namespace

std::int64_t Tx::take_ids(const char* sequence, std::int64_t count) {
  const auto rows = sql_.query("UPDATE sequences SET value = value + $2 WHERE name = $1 RETURNING value",
                               {std::string(sequence), count});
  if (rows.empty()) throw Error(ErrorCode::internal, "no sequence '" + std::string(sequence) + "'");
  return std::get<std::int64_t>(rows[0][0]) - count + 1;
}

Store::Store(std::unique_ptr<database::Database> database, const Clock& clock, std::filesystem::path path)
    : database_(std::move(database)), path_(std::move(path)) {
  try {
    database::migrate(*database_, embedded_migrations(), clock.now());
  } catch (Error& error) {
    explain(error, path_);
    throw;
  }
}

Store::Store(std::unique_ptr<database::Database> database) : database_(std::move(database)) {}

void Store::write(const std::function<void(Tx&)>& body) {
  for (int attempt = 1;; ++attempt) {
    try {
      const auto sql = database_->begin(database::TxMode::write);
      Tx tx(*sql, database_->dialect());
      body(tx);
      sql->commit();
      return;
    } catch (Error& error) {
      if (error.code() == ErrorCode::unavailable && attempt < kTries) continue;
      if (error.code() == ErrorCode::corrupt) explain(error, path_);
      throw;
    }
  }
}

void Store::read(const std::function<void(Tx&)>& body) const {
  try {
    const auto sql = database_->begin(database::TxMode::read);
    Tx tx(*sql, database_->dialect());
    body(tx);
    sql->commit();
  } catch (Error& error) {
    if (error.code() == ErrorCode::corrupt) explain(error, path_);
    throw;
  }
}

std::unique_ptr<Store> make_memory_store(const Clock& clock) {
  return std::make_unique<Store>(database::open_sqlite_memory(), clock);
}

std::unique_ptr<Store> make_local_store() {
  auto database = database::open_sqlite_memory();
  {
    const auto tx = database->begin(database::TxMode::write);
    tx->script(local_schema());
    tx->commit();
  }
  return std::make_unique<Store>(std::move(database));
}

std::unique_ptr<Store> open_file_store(const std::filesystem::path& path, const Clock& clock) {
  return std::make_unique<Store>(open_database(path), clock, path);
}

std::unique_ptr<Store> open_counted_store(const std::filesystem::path& path, const Clock& clock,
                                          database::DatabaseCounts& counts) {
  return std::make_unique<Store>(database::counted(open_database(path), counts), clock, path);
}

std::int64_t applied_schema(Tx& tx) {
  const auto rows = tx.sql().query("SELECT COALESCE(MAX(number), 0) FROM schema_migrations", {});
  return std::get<std::int64_t>(rows.at(0).at(0));
}

std::int64_t known_schema() {
  return embedded_migrations().back().number;
}

}  // namespace runner::storage
