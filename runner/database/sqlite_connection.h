#pragma once
// One SQLite connection with its prepared statements. Internal to this folder.

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "runner/database/sql.h"

struct sqlite3;
struct sqlite3_stmt;

namespace runner::database {

/// Not thread-safe: its owner hands it to one transaction at a time.
class SqliteConnection {
 public:
  /// ":memory:" for a private one in memory.
  explicit SqliteConnection(const std::string& file);
  ~SqliteConnection();
  SqliteConnection(const SqliteConnection&) = delete;
  SqliteConnection& operator=(const SqliteConnection&) = delete;

  std::vector<Row> query(std::string_view sql, const std::vector<Value>& args);
  std::int64_t exec(std::string_view sql, const std::vector<Value>& args);
  void script(std::string_view sql);
  /// Closing the last connection leaves the log of changes as it is: no fsync then, and none by the next one
  /// that begins a new log.
  void keep_log_on_close() noexcept;
  /// False when SQLite has already ended the transaction on its own.
  bool in_transaction() const noexcept;

 private:
  struct Statement {
    sqlite3_stmt* handle = nullptr;
    std::vector<std::size_t> arguments;  // SQLite's parameter i+1 is args[arguments[i]]
  };
  Statement& prepare(std::string_view sql);
  void bind(const Statement& statement, std::string_view sql, const std::vector<Value>& args);
  [[noreturn]] void fail(int code, std::string_view sql) const;

  sqlite3* db_ = nullptr;
  std::map<std::string, Statement, std::less<>> statements_;
};

}  // namespace runner::database
