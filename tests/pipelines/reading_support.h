#pragma once
// What the tests of reading share: nodes as compact text, and one-call reading.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/diagnostic.h"
#include "pipelines/document.h"
#include "pipelines/facts.h"
#include "pipelines/node.h"

namespace runner::pipelines {

/// Compact text: strings in double quotes, other scalars by kind: null, true, i8, r1.1, [a, b], {"k": v},
/// !ref["a"].
std::string dump(const Node* node);

/// dump() of each document joined by " --- ", or the messages of all diagnostics when there are errors.
std::string read_and_dump(std::string_view text);

/// "error id 3:5 message" per line, sorted.
std::string brief(const Diagnostics& diagnostics);

using Files = std::map<std::string, std::string, std::less<>>;

/// Files by path; of other projects by "project@ref:path"; of the network by URL.
class FakeIncludes : public IncludeReader {
 public:
  std::optional<std::string> read_local(std::string_view path) override;
  std::optional<std::string> read_project(std::string_view project, std::string_view ref,
                                          std::string_view path, std::string& why) override;
  std::optional<std::string> read_remote(std::string_view url, std::string& why) override;

  Files files;
};

/// One loading with its world. Conditions: the text "yes" holds, "no" does not, `$[[ inputs.x ]]` is x's
/// truth.
struct LoadTest {
  LoadTest() = default;
  explicit LoadTest(Files files) { includes.files = std::move(files); }

  /// Loads ".gitlab-ci.yml".
  void load();
  /// dump() of the root, or of one of its entries; the diagnostics when there are errors.
  std::string result(std::string_view entry = {});
  std::string rendered() const { return render(diagnostics.sorted(), sources); }

  FakeIncludes includes;
  std::map<std::string, std::string> inputs;
  std::vector<Variable> variables;
  std::string root_file = ".gitlab-ci.yml";

  Sources sources;
  NodeArena arena;
  Diagnostics diagnostics;
  std::optional<ResolvedDocument> document;
};

}  // namespace runner::pipelines
