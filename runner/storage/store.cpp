#include "runner/storage/store.h"

#include <string>
#include <utility>

#include "runner/base/error.h"
#include "runner/database/sqlite.h"
#include "runner/storage/migrations.h"

namespace runner::storage {
namespace {

constexpr int kTries = 4;

}  // namespace

std::int64_t Tx::take_ids(const char* sequence, std::int64_t count) {
  const auto rows = sql_.query("UPDATE sequences SET value = value + $2 WHERE name = $1 RETURNING value",
                               {std::string(sequence), count});
  if (rows.empty()) throw Error(ErrorCode::internal, "no sequence '" + std::string(sequence) + "'");
  return std::get<std::int64_t>(rows[0][0]) - count + 1;
}

Store::Store(std::unique_ptr<database::Database> database, const Clock& clock)
    : database_(std::move(database)) {
  database::migrate(*database_, embedded_migrations(), clock.now());
}

void Store::write(const std::function<void(Tx&)>& body) {
  for (int attempt = 1;; ++attempt) {
    try {
      const auto sql = database_->begin(database::TxMode::write);
      Tx tx(*sql, database_->dialect());
      body(tx);
      sql->commit();
      return;
    } catch (const Error& e) {
      if (e.code() != ErrorCode::unavailable || attempt == kTries) throw;
    }
  }
}

void Store::read(const std::function<void(Tx&)>& body) const {
  const auto sql = database_->begin(database::TxMode::read);
  Tx tx(*sql, database_->dialect());
  body(tx);
  sql->commit();
}

std::unique_ptr<Store> make_memory_store(const Clock& clock) {
  return std::make_unique<Store>(database::open_sqlite_memory(), clock);
}

std::unique_ptr<Store> open_file_store(const std::filesystem::path& path, const Clock& clock) {
  return std::make_unique<Store>(database::open_sqlite_file(path, database::Durability::full), clock);
}

}  // namespace runner::storage
