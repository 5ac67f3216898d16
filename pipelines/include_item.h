#pragma once
// One item of `include`: its shape, its rules, and the names of the files it means. Internal to loading.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/loading.h"

namespace runner::pipelines {

enum class IncludeKind : std::uint8_t { local, project, remote, template_file, component };

struct IncludeItem {
  IncludeKind kind = IncludeKind::local;
  std::string source;  // path, project, URL, name or address; variables expanded
  SourceRange where;   // of the source's value
  std::string ref;     // project
  std::vector<std::pair<std::string, SourceRange>> files;  // project
  std::string integrity;                                   // remote
  SourceRange integrity_where;
  const Node* inputs = nullptr;  // a mapping, or nullptr
};

/// Reads one item; nullopt when something was reported or its rules say no.
std::optional<IncludeItem> read_include_item(const Node& node, Loading& loading);

/// `path` without leading "/", "./" and inner ".."; nullopt when it climbs out of the repository.
std::optional<std::string> normal_path(std::string_view path);

/// The wildcards of `include:local`: `**` is any text, `*` any text without '/', anything else itself.
bool matches_include_pattern(std::string_view pattern, std::string_view path);

/// Whether a name ends in .yml or .yaml, in any case.
bool has_yaml_suffix(std::string_view path);

}  // namespace runner::pipelines
