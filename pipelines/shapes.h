#pragma once
// Reads values out of nodes for one owner ("job 'build'", "default") and reports what has the wrong shape, so
// that every section of a job says such things in the same words. Not thread-safe; lives during one planning.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/diagnostic.h"
#include "pipelines/keywords.h"
#include "pipelines/node.h"

namespace runner::pipelines {

/// Keys that were read and do nothing here, by name, with the first place: one notice per pipeline each.
using NoEffect = std::map<std::string, SourceRange, std::less<>>;

class Shapes {
 public:
  /// `out` may be null: then nothing is reported (a value that was reported before).
  Shapes(Diagnostics* out, NoEffect& no_effect, std::string owner)
      : out_(out), no_effect_(no_effect), owner_(std::move(owner)) {}

  const std::string& owner() const noexcept { return owner_; }
  bool silent() const noexcept { return out_ == nullptr; }
  void set_silent() noexcept { out_ = nullptr; }
  Diagnostics* out() noexcept { return out_; }
  NoEffect& no_effect() noexcept { return no_effect_; }
  /// Values of `${{ job.inputs.NAME }}` in the texts read from now on; null = none. Must outlive the reading.
  void set_inputs(const std::map<std::string, std::string, std::less<>>* inputs) noexcept {
    inputs_ = inputs;
  }
  const std::map<std::string, std::string, std::less<>>* inputs() const noexcept { return inputs_; }

  /// "<owner>: <message>".
  void error(std::string id, const SourceRange& where, std::string_view message, std::string help = {});
  void warning(std::string id, const SourceRange& where, std::string_view message, std::string help = {});
  /// `key`: "<key>: expected <expected>, got <kind>".
  void wrong_type(std::string_view key, const Node& node, std::string_view expected, std::string help = {});

  /// The value fits the keyword's shape; else reported. `path` names it ("cache:key").
  bool check(std::string_view path, const Keyword& keyword, const Node& node);
  /// All keys of a mapping are known and have their shapes; false when something was reported.
  bool check_keys(std::string_view path, const KeywordTable& table, const Node& map);
  /// Value of a key when it is set and has the table's shape (what has not, check_keys reported).
  const Node* get(const KeywordTable& table, const Node& map, std::string_view key) const;

  /// A string; anything else is reported.
  std::optional<std::string> string(std::string_view path, const Node& node);
  /// A string out of these; anything else is reported with the nearest.
  std::optional<std::string> one_of(std::string_view path, const Node& node,
                                    std::span<const std::string_view> allowed);
  /// Strings of a list, nested lists spread; a single string counts as a list of one.
  std::vector<std::string> strings(std::string_view path, const Node& node,
                                   std::string_view expected = "a list of strings");
  /// The same for commands, with the hint about quoting.
  std::vector<std::string> commands(std::string_view path, const Node& node);
  /// Whole numbers of a list, or one.
  std::vector<int> integers(std::string_view path, const Node& node);

  /// The text with job inputs put in.
  std::string with_inputs(std::string_view text, const SourceRange& where);

 private:
  std::string place(std::string_view path, std::size_t index) const;

  Diagnostics* out_;
  NoEffect& no_effect_;
  std::string owner_;
  const std::map<std::string, std::string, std::less<>>* inputs_ = nullptr;
};

/// "did you mean 'x'?" for the nearest candidate, or nothing.
std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates);
/// "a, b or c".
std::string alternatives(std::span<const std::string_view> words);

}  // namespace runner::pipelines
