#include "runner/storage/variable_table.h"

#include <algorithm>

#include "runner/base/error.h"
#include "runner/base/text.h"
#include "runner/storage/names.h"
#include "runner/storage/row.h"

namespace runner::storage {
namespace {

constexpr auto kKinds = {VariableKind::env_var, VariableKind::file};
constexpr std::size_t kShortestMasked = 8;  // what the log's masker takes

#define RUNNER_VARIABLE_COLUMNS                                                                   \
  "id, project_id, name, scope, kind, masked, protected, raw, description, version, created_at, " \
  "updated_at"

constexpr std::string_view kOne =
    "SELECT " RUNNER_VARIABLE_COLUMNS " FROM variables WHERE project_id = $1 AND name = $2 AND scope = $3";
constexpr std::string_view kOfKey =
    "SELECT " RUNNER_VARIABLE_COLUMNS " FROM variables WHERE project_id = $1 AND name = $2 ORDER BY scope";
constexpr std::string_view kOfProject =
    "SELECT " RUNNER_VARIABLE_COLUMNS " FROM variables WHERE project_id = $1 ORDER BY name, scope LIMIT $2";
constexpr std::string_view kInsert = "INSERT INTO variables (" RUNNER_VARIABLE_COLUMNS
                                     ", value) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, $10, $11, $12)";

#undef RUNNER_VARIABLE_COLUMNS

void check(const VariableRecord& record, std::optional<std::string_view> value) {
  const auto refuse = [](const char* what, const std::optional<std::string>& problem) {
    if (problem) throw Error(ErrorCode::invalid_input, std::string(what) + " " + *problem);
  };
  refuse("the key", variable_key_problem(record.key));
  refuse("the environment scope", variable_scope_problem(record.scope));
  check_text("the description", record.description, kMaxVariableText);
  if (!value) return;
  refuse("the value", variable_value_problem(*value));
  if (record.masked) refuse("the value", mask_problem(record.kind, *value));
}

VariableRecord to_variable(const Row& row) {
  VariableRecord variable;
  variable.id = as_integer(row[0]);
  variable.project = as_integer(row[1]);
  variable.key = as_text(row[2]);
  variable.scope = as_text(row[3]);
  variable.kind = as_enumerator(row[4], kKinds, "type of variable");
  variable.masked = as_flag(row[5]);
  variable.is_protected = as_flag(row[6]);
  variable.raw = as_flag(row[7]);
  variable.description = as_text(row[8]);
  variable.version = as_integer(row[9]);
  variable.created_at = as_time(row[10]);
  variable.updated_at = as_time(row[11]);
  return variable;
}

std::vector<VariableRecord> to_variables(const std::vector<Row>& rows) {
  std::vector<VariableRecord> variables;
  variables.reserve(rows.size());
  for (const Row& row : rows) variables.push_back(to_variable(row));
  return variables;
}

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0U) != 0x80U; }));
}

}  // namespace

std::string_view to_string(VariableKind kind) noexcept {
  return kind == VariableKind::file ? "file" : "env_var";
}

std::optional<VariableKind> parse_variable_kind(std::string_view text) noexcept {
  for (const VariableKind kind : kKinds) {
    if (text == to_string(kind)) return kind;
  }
  return std::nullopt;
}

std::optional<std::string> variable_key_problem(std::string_view key) {
  const bool plain =
      std::all_of(key.begin(), key.end(), [](char c) { return is_letter(c) || is_digit(c) || c == '_'; });
  if (!key.empty() && key.size() <= kMaxVariableName && plain && !is_digit(key.front())) return std::nullopt;
  return "must be 1 to 255 letters, digits and '_', the first no digit";
}

std::optional<std::string> variable_scope_problem(std::string_view scope) {
  const bool plain = std::all_of(scope.begin(), scope.end(), [](char c) {
    return is_letter(c) || is_digit(c) || std::string_view(" -_/${}.*").find(c) != std::string_view::npos;
  });
  if (!scope.empty() && scope.size() <= kMaxVariableName && plain) return std::nullopt;
  return "must be the name of an environment, of 255 bytes at most, with '*' for any text, such as "
         "'review/*'; '*' alone is for all jobs";
}

std::optional<std::string> variable_value_problem(std::string_view value) {
  if (value.size() > kMaxVariableValue)
    return "may have " + std::to_string(kMaxVariableValue) + " bytes, and has " +
           std::to_string(value.size()) + "; keep what is larger elsewhere, and here how to fetch it";
  if (value.find('\0') != std::string_view::npos)
    return "has a zero byte in it, which no environment takes; encode it, such as by base64";
  if (!is_utf8(value)) return "is not UTF-8; encode it, such as by base64";
  return std::nullopt;
}

std::optional<std::string> mask_problem(VariableKind kind, std::string_view value) {
  const std::string otherwise = ", or set it without masking (masked: false, --no-mask)";
  if (kind == VariableKind::file) {
    for (const std::string_view line : split(value, '\n')) {
      if (trim(line).size() >= kShortestMasked) return std::nullopt;
    }
    return "cannot be masked: no line of it has 8 characters; give it longer ones" + otherwise;
  }
  if (characters(value) < kShortestMasked)
    return "cannot be masked: it has less than 8 characters; give it more" + otherwise;
  if (value.find_first_of("\r\n") != std::string_view::npos)
    return "cannot be masked: it has several lines; make it a variable of the type file" + otherwise;
  if (value.find_first_of(" \t\v\f") != std::string_view::npos)
    return "cannot be masked: it has blanks; make it a variable of the type file" + otherwise;
  return std::nullopt;
}

std::string seal_column(const VariableRecord& record) {
  return "value of " + record.key + " for " + record.scope + " in project " + std::to_string(record.project) +
         (record.is_protected ? ", protected" : "") + (record.masked ? ", masked" : "");
}

std::int64_t Variables::insert(const VariableRecord& record, std::string_view value) {
  check(record, value);
  check_project(tx_, record.project);
  if (find(record.project, record.key, record.scope)) {
    throw Error(ErrorCode::conflict, "there is a variable " + in_quotes(record.key) + " for the scope " +
                                         in_quotes(record.scope) + " already; change it, or remove it first");
  }
  if (of_project(record.project).size() >= kMostVariables) {
    throw Error(ErrorCode::conflict, "a project may have " + std::to_string(kMostVariables) +
                                         " variables; remove those that nothing uses");
  }
  const std::int64_t id = tx_.take_ids("variables", 1);
  tx_.sql().exec(kInsert,
                 {id, record.project, record.key, record.scope, std::string(to_string(record.kind)),
                  std::int64_t{record.masked}, std::int64_t{record.is_protected}, std::int64_t{record.raw},
                  record.description, to_value(record.created_at), to_value(record.updated_at),
                  sealer_.seal(value, {"variables", seal_column(record), id})});
  return id;
}

std::optional<VariableRecord> Variables::find(std::int64_t project, const std::string& key,
                                              const std::string& scope) {
  // Others cannot be there, and not every database takes every text.
  if (variable_key_problem(key) || variable_scope_problem(scope)) return std::nullopt;
  const auto rows = tx_.sql().query(kOne, {project, key, scope});
  if (rows.empty()) return std::nullopt;
  return to_variable(rows[0]);
}

std::vector<VariableRecord> Variables::of_key(std::int64_t project, const std::string& key) {
  if (variable_key_problem(key)) return {};
  return to_variables(tx_.sql().query(kOfKey, {project, key}));
}

std::vector<VariableRecord> Variables::of_project(std::int64_t project) {
  return to_variables(tx_.sql().query(kOfProject, {project, limit_value(kMostVariables)}));
}

Secret Variables::open(const VariableRecord& record) {
  const auto rows = tx_.sql().query("SELECT value FROM variables WHERE id = $1", {record.id});
  if (rows.empty()) {
    throw Error(ErrorCode::not_found, "variable " + in_quotes(record.key) + " for the scope " +
                                          in_quotes(record.scope) + " was removed");
  }
  return sealer_.open(as_bytes(rows[0][0]), {"variables", seal_column(record), record.id});
}

bool Variables::replace(const VariableRecord& next, std::optional<std::string_view> value) {
  check(next, value);
  const auto before = find(next.project, next.key, next.scope);
  if (!before || before->id != next.id || before->version != next.version) return false;
  Secret kept;
  if (!value) {
    kept = open(*before);
    check(next, kept.text());
    value = kept.text();
  }
  return tx_.sql().exec(
             "UPDATE variables SET version = $2 + 1, kind = $3, masked = $4, protected = $5, raw = $6, "
             "description = $7, updated_at = $8, value = $9 WHERE id = $1 AND version = $2",
             {next.id, next.version, std::string(to_string(next.kind)), std::int64_t{next.masked},
              std::int64_t{next.is_protected}, std::int64_t{next.raw}, next.description,
              to_value(next.updated_at), sealer_.seal(*value, {"variables", seal_column(next), next.id})}) ==
         1;
}

bool Variables::remove(std::int64_t id) {
  return tx_.sql().exec("DELETE FROM variables WHERE id = $1", {id}) == 1;
}

}  // namespace runner::storage
