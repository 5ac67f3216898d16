#include "runner/database/sqlite_connection.h"

#include <sqlite3.h>

#include <system_error>
#include <type_traits>

#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::database {
namespace {

ErrorCode code_of(int sqlite_code) {
  switch (sqlite_code & 0xff) {
    case SQLITE_CONSTRAINT:
      return ErrorCode::conflict;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_NOMEM:
    // Of the disk, not of us: it may be mended while we wait.
    case SQLITE_IOERR:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
      return ErrorCode::unavailable;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return ErrorCode::corrupt;
    default:
      return ErrorCode::internal;
  }
}

Value column(sqlite3_stmt* statement, int index) {
  switch (sqlite3_column_type(statement, index)) {
    case SQLITE_INTEGER:
      return static_cast<std::int64_t>(sqlite3_column_int64(statement, index));
    case SQLITE_FLOAT:
      return sqlite3_column_double(statement, index);
    case SQLITE_TEXT: {
      const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, index));
      return std::string(text, static_cast<std::size_t>(sqlite3_column_bytes(statement, index)));
    }
    case SQLITE_BLOB: {
      const auto* bytes = static_cast<const std::byte*>(sqlite3_column_blob(statement, index));
      return std::vector<std::byte>(bytes, bytes + sqlite3_column_bytes(statement, index));
    }
    default:
      return std::monostate{};
  }
}

int bind_value(sqlite3_stmt* statement, int index, const Value& value) {
  return std::visit(
      [&](const auto& v) {
        using T = std::decay_t<decltype(v)>;
        if constexpr (std::is_same_v<T, std::monostate>) {
          return sqlite3_bind_null(statement, index);
        } else if constexpr (std::is_same_v<T, std::int64_t>) {
          return sqlite3_bind_int64(statement, index, v);
        } else if constexpr (std::is_same_v<T, double>) {
          return sqlite3_bind_double(statement, index, v);
        } else if constexpr (std::is_same_v<T, std::string>) {
          // The arguments outlive the execution, so SQLite need not copy them.
          return sqlite3_bind_text64(statement, index, v.data(), v.size(), SQLITE_STATIC, SQLITE_UTF8);
        } else {
          return sqlite3_bind_blob64(statement, index, v.data(), v.size(), SQLITE_STATIC);
        }
      },
      value);
}

/// Resets a statement however its execution ends: otherwise it would keep the transaction open.
class Execution {
 public:
  explicit Execution(sqlite3_stmt* statement) : statement_(statement) {}
  ~Execution() {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }
  Execution(const Execution&) = delete;
  Execution& operator=(const Execution&) = delete;

 private:
  sqlite3_stmt* statement_;
};

}  // namespace

SqliteConnection::SqliteConnection(const std::string& file) {
  // The owner serialises: no mutex of SQLite's own.
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  const int code = sqlite3_open_v2(file.c_str(), &db_, flags, nullptr);
  if (code != SQLITE_OK) {
    const std::string why = db_ != nullptr ? sqlite3_errmsg(db_) : sqlite3_errstr(code);
    sqlite3_close_v2(db_);
    throw Error(code_of(code), "cannot open database '" + file + "': " + why);
  }
  sqlite3_extended_result_codes(db_, 1);
}

SqliteConnection::~SqliteConnection() {
  for (auto& [sql, statement] : statements_) sqlite3_finalize(statement.handle);
  sqlite3_close_v2(db_);
}

SqliteConnection::Statement& SqliteConnection::prepare(std::string_view sql) {
  const auto known = statements_.find(sql);
  if (known != statements_.end()) return known->second;
  Statement statement;
  const int code = sqlite3_prepare_v3(db_, sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement.handle, nullptr);
  if (code != SQLITE_OK) fail(code, sql);
  // "$1" is a name to SQLite, numbered by first appearance.
  const int count = sqlite3_bind_parameter_count(statement.handle);
  for (int i = 1; i <= count; ++i) {
    const char* name = sqlite3_bind_parameter_name(statement.handle, i);
    const auto number = name != nullptr && name[0] == '$' ? parse_integer(name + 1) : std::nullopt;
    if (!number || *number < 1) {
      sqlite3_finalize(statement.handle);
      throw Error(ErrorCode::internal, "parameters must be $1..$n in: " + std::string(sql));
    }
    statement.arguments.push_back(static_cast<std::size_t>(*number - 1));
  }
  return statements_.emplace(std::string(sql), std::move(statement)).first->second;
}

void SqliteConnection::bind(const Statement& statement, std::string_view sql,
                            const std::vector<Value>& args) {
  int index = 0;
  for (const std::size_t argument : statement.arguments) {
    if (argument >= args.size()) {
      throw Error(ErrorCode::internal,
                  "argument $" + std::to_string(argument + 1) + " is missing for: " + std::string(sql));
    }
    const int code = bind_value(statement.handle, ++index, args[argument]);
    if (code != SQLITE_OK) fail(code, sql);
  }
}

std::vector<Row> SqliteConnection::query(std::string_view sql, const std::vector<Value>& args) {
  Statement& statement = prepare(sql);
  const Execution execution(statement.handle);
  bind(statement, sql, args);
  std::vector<Row> rows;
  for (;;) {
    const int code = sqlite3_step(statement.handle);
    if (code == SQLITE_DONE) return rows;
    if (code != SQLITE_ROW) fail(code, sql);
    Row& row = rows.emplace_back();
    const int columns = sqlite3_column_count(statement.handle);
    row.reserve(static_cast<std::size_t>(columns));
    for (int i = 0; i < columns; ++i) row.push_back(column(statement.handle, i));
  }
}

std::int64_t SqliteConnection::exec(std::string_view sql, const std::vector<Value>& args) {
  Statement& statement = prepare(sql);
  const Execution execution(statement.handle);
  bind(statement, sql, args);
  int code = sqlite3_step(statement.handle);
  while (code == SQLITE_ROW) code = sqlite3_step(statement.handle);
  if (code != SQLITE_DONE) fail(code, sql);
  return sqlite3_changes64(db_);
}

void SqliteConnection::script(std::string_view sql) {
  const std::string text(sql);
  const int code = sqlite3_exec(db_, text.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) fail(code, sql);
}

void SqliteConnection::keep_log_on_close() noexcept {
  sqlite3_db_config(db_, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
}

bool SqliteConnection::in_transaction() const noexcept {
  return sqlite3_get_autocommit(db_) == 0;
}

void SqliteConnection::fail(int code, std::string_view sql) const {
  const std::string said = std::string(sqlite3_errmsg(db_)) + " in: " + std::string(sql);
  if ((code & 0xff) == SQLITE_FULL) throw Error(std::make_error_code(std::errc::no_space_on_device), said);
  throw Error(code_of(code), said);
}

}  // namespace runner::database
