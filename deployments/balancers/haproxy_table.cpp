#include "deployments/balancers/haproxy_table.h"

#include <algorithm>
#include <cstddef>

#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::deployments {
namespace {

std::vector<std::string> fields_of(std::string_view line, char separator) {
  std::vector<std::string> fields(1);
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (separator == ',' && line[i] == '"') {
      if (quoted && i + 1 < line.size() && line[i + 1] == '"')
        fields.back() += line[i++];
      else
        quoted = !quoted;
    } else if (line[i] == separator && !quoted) {
      fields.emplace_back();
    } else {
      fields.back() += line[i];
    }
  }
  return fields;
}

[[noreturn]] void fail_corrupt(const std::string& why) {
  throw Error(ErrorCode::corrupt, "HAProxy's answer " + why + "; is that socket HAProxy's, 2.0 or later?");
}

std::size_t index_of(const std::vector<std::string>& columns, std::string_view name) {
  const auto found = std::find(columns.begin(), columns.end(), name);
  if (found == columns.end()) fail_corrupt("has no column " + in_quotes(name));
  return static_cast<std::size_t>(found - columns.begin());
}

}  // namespace

HaproxyTable::HaproxyTable(std::string_view answer, char separator, std::string_view name_column,
                           std::string_view backend_column, std::string_view backend) {
  if (answer.size() < 2 || answer.substr(answer.size() - 2) != "\n\n")
    throw Error(ErrorCode::unavailable,
                "HAProxy ended in the middle of its answer; see whether it still runs, then try again");
  std::size_t name = 0, owner = 0;
  for (const std::string_view line : split(answer, '\n')) {
    if (line.empty()) continue;
    if (columns_.empty()) {
      if (line.substr(0, 2) != "# ") continue;  // the version of the format
      columns_ = fields_of(line.substr(2), separator);
      name = index_of(columns_, name_column);
      owner = index_of(columns_, backend_column);
      continue;
    }
    std::vector<std::string> fields = fields_of(line, separator);
    if (fields.size() < columns_.size()) fail_corrupt("has a row that is too short");
    if (fields[owner] != backend) continue;
    const std::string server = fields[name];
    rows_.insert_or_assign(server, std::move(fields));
  }
  if (columns_.empty()) fail_corrupt("is no table");
}

std::uint64_t HaproxyTable::number(const std::string& server, std::string_view column) const {
  const std::string& text = rows_.at(server)[index_of(columns_, column)];
  if (text.empty()) return 0;
  const auto value = parse_integer(text);
  if (!value || *value < 0) fail_corrupt("has " + in_quotes(to_utf8(text)) + " as " + std::string(column));
  return static_cast<std::uint64_t>(*value);
}

std::vector<std::string> HaproxyTable::servers() const {
  std::vector<std::string> names;
  for (const auto& [name, fields] : rows_) names.push_back(name);
  return names;
}

}  // namespace runner::deployments
