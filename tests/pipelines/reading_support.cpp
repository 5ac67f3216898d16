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

std::optional<std::string> FakeIncludes::read_local(std::string_view path) {
  const auto found = files.find(path);
  return found == files.end() ? std::nullopt : std::optional(found->second);
}

std::optional<std::string> FakeIncludes::read_project(std::string_view project, std::string_view ref,
                                                      std::string_view path, std::string& why) {
  const auto found = files.find(fmt::format("{}@{}:{}", project, ref, path));
  if (found != files.end()) return found->second;
  why = "it is not mapped";
  return std::nullopt;
}

std::optional<std::string> FakeIncludes::read_remote(std::string_view url, std::string& why) {
  const auto found = files.find(url);
  if (found != files.end()) return found->second;
  why = "no network";
  return std::nullopt;
}

void LoadTest::load() {
  std::vector<std::string> paths;
  for (const auto& [path, text] : includes.files) paths.push_back(path);
  LoadContext context{includes};
  context.list_files = [&]() -> const std::vector<std::string>& { return paths; };
  context.variable = [&](std::string_view name) -> const Variable* {
    for (const Variable& variable : variables) {
      if (variable.name == name) return &variable;
    }
    return nullptr;
  };
  context.expand = [&](std::string_view text) {
    std::string out(text);
    for (const Variable& variable : variables) {
      for (std::size_t at = out.find("$" + variable.name); at != std::string::npos;
           at = out.find("$" + variable.name)) {
        out.replace(at, variable.name.size() + 1, variable.value);
      }
    }
    return out.find('$') == std::string::npos ? out : out.substr(0, out.find('$'));
  };
  context.rule_matches = [](const Node& rule) -> std::optional<bool> {
    const Node* condition = rule.find("if");
    return condition != nullptr && condition->text() == "yes";
  };
  context.input_condition = [](const Node& condition, const InputLookup& lookup) -> std::optional<bool> {
    const std::string_view text = condition.text();
    if (text.substr(0, 11) != "$[[ inputs.") return text == "yes";
    const Node* value = lookup(text.substr(11, text.size() - 14));
    return value != nullptr && value->text() == "true";
  };
  context.inputs = inputs;
  context.server_host = "host.example";
  document = load_document(root_file, includes.files[root_file], context, sources, arena, diagnostics);
}

std::string LoadTest::result(std::string_view entry) {
  load();
  if (diagnostics.has_errors()) return brief(diagnostics);
  if (!document) return "(none)";
  return dump(entry.empty() ? document->root : document->root->find(entry));
}

}  // namespace runner::pipelines
