#include "tests/pipelines/reading_support.h"

#include <fmt/core.h>

#include "pipelines/yaml_reader.h"

namespace runner::pipelines {

std::string dump(const Node* node) {
  if (node == nullptr) return "(none)";
  std::string out;
  switch (node->kind()) {
    case NodeKind::null:
      return "null";
    case NodeKind::boolean:
      return std::string(node->text());
    case NodeKind::integer:
      return "i" + std::string(node->text());
    case NodeKind::real:
      return "r" + std::string(node->text());
    case NodeKind::string:
      return '"' + std::string(node->text()) + '"';
    case NodeKind::sequence:
    case NodeKind::reference:
      out = node->kind() == NodeKind::reference ? "!ref[" : "[";
      for (const Node* item : node->items()) out += (out.back() == '[' ? "" : ", ") + dump(item);
      return out + "]";
    case NodeKind::mapping:
      out = "{";
      for (const MapEntry& entry : node->entries()) {
        out += fmt::format("{}\"{}\": {}", out.size() == 1 ? "" : ", ", entry.key, dump(entry.value));
      }
      return out + "}";
  }
  return "?";
}

std::string read_and_dump(std::string_view text) {
  Sources sources;
  NodeArena arena;
  Diagnostics diagnostics;
  const auto documents = read_yaml(sources.add("ci.yml", std::string(text)), text, arena, diagnostics);
  if (!documents) return brief(diagnostics);
  std::string out;
  for (const Node* document : *documents) out += (out.empty() ? "" : " --- ") + dump(document);
  return out;
}

std::string brief(const Diagnostics& diagnostics) {
  std::string out;
  for (const Diagnostic& one : diagnostics.sorted()) {
    const std::string_view severity = one.severity == Severity::error     ? "error"
                                      : one.severity == Severity::warning ? "warning"
                                                                          : "notice";
    out += fmt::format("{} {} {}:{} {}\n", severity, one.id, one.where.line, one.where.column, one.message);
  }
  return out;
}

}  // namespace runner::pipelines
