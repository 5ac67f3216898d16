#pragma once
// The seam between the repositories and a database: the only part that differs between dialects.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace runner::database {

using Value = std::variant<std::monostate, std::int64_t, double, std::string, std::vector<std::byte>>;
using Row = std::vector<Value>;
enum class Dialect : std::uint8_t { sqlite, postgres };
enum class TxMode : std::uint8_t { read, write };

/// One transaction on one connection. Rolls back on destruction unless committed. One thread.
/// Throws Error{conflict} on a violated constraint, Error{unavailable} when busy or out of space,
/// Error{corrupt} for a damaged file; the SQL text is in the message, never the arguments.
class SqlTx {
 public:
  virtual ~SqlTx() = default;
  /// One statement with $1..$n, the same in every dialect; `args` in that order.
  virtual std::vector<Row> query(std::string_view sql, const std::vector<Value>& args) = 0;
  /// The same for a statement without rows; returns how many it changed.
  virtual std::int64_t exec(std::string_view sql, const std::vector<Value>& args) = 0;
  /// Several statements without arguments, separated by semicolons; for migrations.
  virtual void script(std::string_view sql) = 0;
  virtual void commit() = 0;
};

/// Any thread. begin() blocks until a connection of this mode is free.
class Database {
 public:
  virtual ~Database() = default;
  virtual Dialect dialect() const noexcept = 0;
  virtual std::unique_ptr<SqlTx> begin(TxMode mode) = 0;
  /// Writes the log of changes into the database itself, as far as nobody reads older ones. Blocks on fsync.
  virtual void checkpoint() = 0;
};

}  // namespace runner::database
