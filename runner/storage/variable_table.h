#pragma once
// What people give the jobs of a project and do not write into its files: sealed, and never read without the
// Sealer. Which jobs get which of them is not decided here.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runner/base/clock.h"
#include "runner/storage/sealer.h"
#include "runner/storage/store.h"

namespace runner::storage {

inline constexpr std::size_t kMaxVariableValue = 64U << 10U;  // an environment takes 96 KiB
inline constexpr std::size_t kMaxVariableName = 255;          // of keys and scopes
inline constexpr std::size_t kMaxVariableText = 1024;         // of descriptions
inline constexpr std::size_t kMostVariables = 1000;           // of a project

enum class VariableKind : std::uint8_t { env_var, file };
/// The text that is stored and shown: the enumerator's name.
std::string_view to_string(VariableKind kind) noexcept;
std::optional<VariableKind> parse_variable_kind(std::string_view text) noexcept;

/// All but the value.
struct VariableRecord {
  std::int64_t id = 0;
  std::int64_t project = 0;
  std::string key;
  std::string scope = "*";  // of environments; '*' in it is any text
  VariableKind kind = VariableKind::env_var;
  bool masked = false;
  bool is_protected = false;  // only for pipelines of protected refs
  bool raw = false;           // `$` in it means nothing
  std::string description;
  std::int64_t version = 0;  // +1 per change
  TimePoint created_at{}, updated_at{};
};

/// Why it cannot be, with the mend, as what follows the name of the field; nullopt when it can. Pure.
std::optional<std::string> variable_key_problem(std::string_view key);
std::optional<std::string> variable_scope_problem(std::string_view scope);
std::optional<std::string> variable_value_problem(std::string_view value);
/// The same of a value that is to be masked: what is short would mask half a log, and of what has blanks or
/// several lines only parts may be shown. Each line of a file is masked by itself.
std::optional<std::string> mask_problem(VariableKind kind, std::string_view value);

/// What its value is sealed for, beside its row: who can write the database and has no key must not be able
/// to hand a value to others than it is for. Pure.
std::string seal_column(const VariableRecord& record);

class Variables {
 public:
  Variables(Tx& tx, const Sealer& sealer) noexcept : tx_(tx), sealer_(sealer) {}
  /// Id and version are not looked at. Returns the id. Throws Error{invalid_input} for what the functions
  /// above say; Error{not_found} without the project; Error{conflict} when there is one of this key and
  /// scope, or there are kMostVariables.
  std::int64_t insert(const VariableRecord& record, std::string_view value);
  std::optional<VariableRecord> find(std::int64_t project, const std::string& key, const std::string& scope);
  /// Of every scope, by scope.
  std::vector<VariableRecord> of_key(std::int64_t project, const std::string& key);
  /// By key and scope.
  std::vector<VariableRecord> of_project(std::int64_t project);
  /// Throws as Sealer::open() does: also when somebody has changed in the database who gets it.
  /// Error{not_found} when it is gone.
  Secret open(const VariableRecord& record);
  /// All but id, project, key, scope and time of creation; without `value` that stays. The version becomes
  /// `next.version` + 1. False when that is no longer current, or it is gone. Throws as insert() and open().
  bool replace(const VariableRecord& next, std::optional<std::string_view> value);
  /// False when it was gone already.
  bool remove(std::int64_t id);

 private:
  Tx& tx_;
  const Sealer& sealer_;
};

}  // namespace runner::storage
