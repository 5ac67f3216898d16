#pragma once
// Precedence and expansion of variables (docs/pipeline-language.md, "Variables"). Pure; any thread.

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/facts.h"

namespace runner::pipelines {

enum class Undefined : std::uint8_t {
  empty,   // job time
  keep,    // creation time: left as written
};

/// Variables by name after precedence, with expansion on demand.
/// Built from definitions in any order: the highest rank wins, and within a rank the later one.
class VariableSet {
 public:
  VariableSet() = default;
  explicit VariableSet(std::vector<Variable> definitions);

  void add(Variable definition);

  /// The winning definition, nullptr when there is none.
  const Variable* find(std::string_view name) const;
  /// All winning definitions by name.
  std::vector<const Variable*> all() const;

  /// `text` with `$NAME`, `${NAME}` and `%NAME%` replaced, values expanded in turn. At job time `$$` is one
  /// dollar and undefined names are empty; at creation time both stay as they are.
  std::string expand(std::string_view text, Undefined undefined) const;

  /// The value of every variable, fully expanded for job time. A cycle is reported in `cycle` ("A, B") and its
  /// members are empty.
  std::map<std::string, std::string> expand_all(std::string* cycle = nullptr) const;

 private:
  // Definitions per name, highest rank first: a self reference reads the next lower one.
  std::map<std::string, std::vector<Variable>, std::less<>> by_name_;
};

/// `text` as a double-quoted POSIX shell word with these values: `${A:-x}`, `${A%.*}`, backslash escapes;
/// no command substitution. For artifact and cache paths.
std::string expand_shell_word(std::string_view text, const std::map<std::string, std::string>& values);

/// The dialect's slug of 63 characters: CI_COMMIT_REF_SLUG and its relatives.
std::string slug63(std::string_view text);
/// The slug of an environment name (24 characters, hash suffix when changed).
std::string environment_slug(std::string_view name);

}  // namespace runner::pipelines
