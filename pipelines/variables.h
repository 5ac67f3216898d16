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
  empty,  // job time: undefined names are empty, `$$` is one dollar
  keep,   // creation time: undefined names stay as written, `$$` is no escape
  drop,   // creation time, but undefined names are empty
};

/// Letters, digits and '_'.
bool is_variable_name(std::string_view text) noexcept;

/// Variables by name after precedence, with expansion on demand.
/// Built from definitions in any order: the highest rank wins, and within a rank the later one.
class VariableSet {
 public:
  VariableSet() = default;
  explicit VariableSet(std::vector<Variable> definitions);
  /// An empty set that sees `base` below its own definitions (ranks still decide). `base` is not copied: it
  /// outlives this set and its copies.
  static VariableSet over(const VariableSet& base);

  void add(Variable definition);
  /// Where the files of file variables are: a reference to such a variable gives "<directory>/<NAME>".
  /// Without it, references are left as written at creation time and give the content at job time.
  void set_file_directory(std::string directory) { file_directory_ = std::move(directory); }

  /// The winning definition, nullptr when there is none.
  const Variable* find(std::string_view name) const;
  /// All definitions of a name, winner first.
  std::vector<const Variable*> definitions(std::string_view name) const;
  /// All winning definitions by name.
  std::vector<const Variable*> all() const;

  /// `text` with `$NAME`, `${NAME}` and `%NAME%` replaced, values expanded in turn. A variable that takes
  /// part in a cycle gives nothing. Results end at 1 MiB: values that double each other cannot eat the
  /// memory.
  std::string expand(std::string_view text, Undefined undefined) const;

  /// The value of every variable, fully expanded for job time (the path, for a file variable with a file
  /// directory). A cycle is reported in `cycle` ("A, B") and its members are empty.
  std::map<std::string, std::string> expand_all(std::string* cycle = nullptr) const;

  /// The members of a reference cycle ("A, B") that can be reached from the given names, or from any name.
  std::optional<std::string> find_cycle() const;
  std::optional<std::string> find_cycle(std::span<const std::string_view> from) const;

 private:
  friend class Expander;

  // Definitions per name, highest rank first: a self reference reads the next lower one.
  std::map<std::string, std::vector<Variable>, std::less<>> by_name_;
  const VariableSet* base_ = nullptr;
  std::string file_directory_;
};

/// `text` as a double-quoted POSIX shell word with these values: `${A:-x}`, `${A%.*}`, backslash escapes;
/// no command substitution. For artifact and cache paths.
std::string expand_shell_word(std::string_view text, const std::map<std::string, std::string>& values);

/// The dialect's slug of 63 characters: CI_COMMIT_REF_SLUG and its relatives.
std::string slug63(std::string_view text);
/// The slug of an environment name (24 characters, hash suffix when changed).
std::string environment_slug(std::string_view name);

}  // namespace runner::pipelines
