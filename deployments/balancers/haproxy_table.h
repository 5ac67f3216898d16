#pragma once
// What HAProxy answers in rows and columns: `show servers state` and `show stat`. Pure.

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace runner::deployments {

/// Rows by the name of their server; columns by name, as their order and number change with the version.
class HaproxyTable {
 public:
  /// `separator` is ' ' or ','; with the latter fields may be in double quotes. `name_column` says which
  /// column names the row, and `backend_column` must say `backend`: other rows are left out. Throws
  /// Error{corrupt} when it is no such table, Error{unavailable} when its end is missing.
  HaproxyTable(std::string_view answer, char separator, std::string_view name_column,
               std::string_view backend_column, std::string_view backend);

  bool has(const std::string& server) const { return rows_.find(server) != rows_.end(); }
  /// Of a server that it has. An empty field is 0. Throws Error{corrupt} when it is no number or there is no
  /// such column.
  std::uint64_t number(const std::string& server, std::string_view column) const;
  /// Its servers, sorted.
  std::vector<std::string> servers() const;

 private:
  std::vector<std::string> columns_;
  std::map<std::string, std::vector<std::string>> rows_;
};

}  // namespace runner::deployments
