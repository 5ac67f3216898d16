#pragma once
// A pipeline file with everything that stands between its text and its jobs resolved: header and inputs,
// includes, merging, `extends`, `!reference`. What comes out is one mapping in which only strings with
// variables are left to interpret. Pure but for the reader it is given; throws only what that throws.

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "pipelines/diagnostic.h"
#include "pipelines/facts.h"
#include "pipelines/node.h"

namespace runner::pipelines {

/// The value of an input by name, nullptr when there is none of that name.
using InputLookup = std::function<const Node*(std::string_view name)>;

/// What loading must know about the world. Functions left empty mean: no files, no variables, no condition
/// holds.
struct LoadContext {
  IncludeReader& includes;

  /// All paths of the commit in listing order, for wildcards of `include:local`.
  std::function<const std::vector<std::string>&()> list_files = {};
  /// Definition of a variable that may be used in `include`; nullptr when there is none.
  std::function<const Variable*(std::string_view name)> variable = {};
  /// A text of an `include` with its variables expanded; undefined ones are empty.
  std::function<std::string(std::string_view text)> expand = {};
  /// Whether `if`, `changes` and `exists` of one item of `include:rules` hold together. The item is a mapping
  /// with known keys; what is wrong inside is reported by the callee, which returns nullopt then.
  std::function<std::optional<bool>(const Node& rule)> rule_matches = {};
  /// Whether the expression of `spec:inputs:<name>:rules:if` (a string) holds. nullopt: reported by the
  /// callee.
  std::function<std::optional<bool>(const Node& condition, const InputLookup& inputs)> input_condition = {};

  /// Values for the inputs of the root file, as text.
  std::map<std::string, std::string> inputs = {};
  /// Host of components that live on this server.
  std::string server_host = {};
};

struct ResolvedDocument {
  /// The merged mapping. `include` is gone, `extends` and `!reference` are replaced by what they stand for.
  const Node* root = nullptr;
  /// False when a part is missing (an include could not be read): errors about absent names would mislead
  /// then.
  bool complete = true;
  /// Top-level entries that could not be resolved, and about which an error was reported: no use to look
  /// inside.
  std::unordered_set<std::string_view> broken;
};

/// Loads `root_text` as the file `root_file`. Adds every file it reads to `sources` (the root file first).
/// nullopt when the root file itself cannot be read as a mapping; look at `diagnostics` for errors in any
/// case.
std::optional<ResolvedDocument> load_document(std::string_view root_file, std::string_view root_text,
                                              const LoadContext& context, Sources& sources, NodeArena& arena,
                                              Diagnostics& diagnostics);

/// The items of a list with nested lists spread in place, to ten levels (`script`, `rules`, `stages`, `tags`,
/// `needs`
/// ...). A value that is no list is its own only item; null gives nothing. Deeper nesting is reported.
std::vector<const Node*> flatten(const Node& value, Diagnostics& diagnostics);

}  // namespace runner::pipelines
