#include "pipelines/file_loader.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "pipelines/yaml_reader.h"
#include "runner/base/text.h"

namespace runner::pipelines {
namespace {

constexpr std::array<std::string_view, 3> kSpecKeys = {"inputs", "include", "component"};
constexpr std::array<std::string_view, 4> kComponentFields = {"name", "sha", "version", "reference"};

}  // namespace

/// The body without the key that loading itself uses up.
const Node* FileLoader::without_include(const Node& body) {
  if (body.find("include") == nullptr) return &body;
  const Node*& result = without_include_[&body];
  if (result != nullptr) return result;
  std::vector<MapEntry> entries;
  entries.reserve(body.entries().size());
  for (const MapEntry& entry : body.entries()) {
    if (entry.key != "include") entries.push_back(entry);
  }
  return result = loading_.arena.mapping(entries, body.range());
}

const FileLoader::Parsed& FileLoader::parse(const std::string& name, const std::string& text) {
  const auto known = parsed_.find(name);
  if (known != parsed_.end()) return known->second;
  Parsed& parsed = parsed_[name];
  parsed.file = loading_.sources.add(name, text);
  Diagnostics& diagnostics = loading_.diagnostics;
  const SourceRange at_start = {parsed.file, 1, 1, 1, 1};
  const auto documents = read_yaml(parsed.file, text, loading_.arena, diagnostics);
  if (!documents) return parsed;
  if (documents->empty()) {
    const bool is_root = parsed_.size() == 1;
    diagnostics.error("empty-file", at_start,
                      is_root ? fmt::format("no pipeline configuration found: '{}' is empty", name)
                              : fmt::format("included file '{}' is empty", name));
    return parsed;
  }
  parsed.parts = split_documents(parsed.file, *documents, diagnostics);
  return parsed;
}

const Node* FileLoader::load(const std::string& name, const std::string& text, const Origin& origin,
                             const GivenInputs& given, const ComponentFields* component) {
  const Parsed& parsed = parse(name, text);
  if (!parsed.parts) return nullptr;
  const FileParts parts = *parsed.parts;  // the map may grow below
  const Node* body = body_of(parts, origin, given, component);
  if (body == nullptr) return nullptr;
  const Node* own = without_include(*body);
  const Node* include = body->find("include");
  if (include == nullptr || include->is_null()) return own;
  const Node* base = load_includes(*include, origin);
  if (base == nullptr || loading_.stopped) return own;
  const Node* merged = merger_.merge(*base, *own);
  if (merger_.exhausted() && !loading_.stopped) {
    loading_.diagnostics.error("too-many-values", include->range(),
                               "the includes make the configuration too large");
    loading_.stopped = true;
    loading_.complete = false;
  }
  return merged;
}

const Node* FileLoader::body_of(const FileParts& parts, const Origin& origin, const GivenInputs& given,
                                const ComponentFields* component) {
  if (parts.spec == nullptr) {
    return check_no_inputs(given, parts.file, loading_) ? parts.body : nullptr;
  }
  InputDefinitions definitions;
  bool fine = true;
  BlockValues fields;
  fields.in_component = component != nullptr;
  for (const MapEntry& entry : parts.spec->entries()) {
    if (std::find(kSpecKeys.begin(), kSpecKeys.end(), entry.key) == kSpecKeys.end()) {
      report_unknown_key(entry, "'spec'", kSpecKeys, loading_.diagnostics);
      fine = false;
    } else if (entry.key == "component" && !entry.value->is_null()) {
      for (const Node* field : flatten(*entry.value, loading_.diagnostics)) {
        if (std::find(kComponentFields.begin(), kComponentFields.end(), field->text()) ==
            kComponentFields.end()) {
          loading_.diagnostics.error("bad-header", field->range(),
                                     "spec 'component' is a list of name, sha, version, reference");
          fine = false;
        } else if (component != nullptr) {
          const auto found = component->find(std::string(field->text()));
          const bool empty = found == component->end() || found->second.empty();
          fields.component[std::string(field->text())] =
              empty ? loading_.arena.null(field->range())
                    : loading_.arena.string(found->second, field->range());
        }
      }
    }
  }
  if (!collect_definitions(*parts.spec, origin, definitions) || !fine) return nullptr;
  auto values = bind_inputs(definitions, given, parts.file, loading_);
  if (!values) return nullptr;
  values->component = std::move(fields.component);
  values->in_component = fields.in_component;
  const std::size_t errors = loading_.diagnostics.error_count();
  const Node* body = interpolate(*parts.body, *values, loading_);
  return loading_.diagnostics.error_count() == errors ? body : nullptr;
}

bool FileLoader::collect_definitions(const Node& spec, const Origin& origin, InputDefinitions& definitions) {
  Diagnostics& diagnostics = loading_.diagnostics;
  const std::size_t errors = diagnostics.error_count();
  if (const Node* include = spec.find("include"); include != nullptr && !include->is_null()) {
    const Node* const one[] = {include};
    for (const Node* item : include->is_list() ? include->items() : std::span<const Node* const>(one)) {
      const auto read = read_include_item(*item, loading_);
      if (!read) continue;
      for (const Fetched& file : fetch(*read, origin)) {
        const Parsed& parsed = parse(file.name, file.text);
        if (!parsed.parts) continue;
        for (const MapEntry& entry : parsed.parts->body->entries()) {
          if (entry.key == "inputs") {
            definitions.push_back(entry.value);
          } else {
            diagnostics.error(
                "unknown-key", entry.key_range,
                fmt::format("a file for 'spec:include' may contain only 'inputs', found '{}'", entry.key));
          }
        }
      }
    }
  }
  if (const Node* inputs = spec.find("inputs"); inputs != nullptr) definitions.push_back(inputs);
  return diagnostics.error_count() == errors;
}

bool FileLoader::count(const SourceRange& where) {
  if (loading_.stopped) return false;
  if (++loading_.included <= kMaxIncludedFiles) return true;
  loading_.stopped = true;
  missing(where, fmt::format("more than {} included files", kMaxIncludedFiles),
          "does a file include itself?");
  return false;
}

const Node* FileLoader::load_includes(const Node& include, const Origin& origin) {
  const Node* const one[] = {&include};
  const Node* merged = nullptr;
  for (const Node* node : include.is_list() ? include.items() : std::span<const Node* const>(one)) {
    if (loading_.stopped) break;
    const std::size_t errors = loading_.diagnostics.error_count();
    const auto item = read_include_item(*node, loading_);
    if (loading_.diagnostics.error_count() != errors) loading_.complete = false;
    if (!item) continue;
    for (const Fetched& file : fetch(*item, origin)) {
      if (!count(file.where)) break;
      const ComponentFields* component = file.component.empty() ? nullptr : &file.component;
      const Node* body =
          load(file.name, file.text, file.origin, {item->inputs, nullptr, file.where}, component);
      if (body == nullptr) {
        loading_.complete = false;
      } else if (!loading_.stopped) {
        merged = merged == nullptr ? body : merger_.merge(*merged, *body);
      }
    }
  }
  return merged;
}

void FileLoader::missing(const SourceRange& where, std::string message, std::string help) {
  loading_.diagnostics.error("include-not-found", where, std::move(message), std::move(help));
  loading_.complete = false;
}

}  // namespace runner::pipelines
