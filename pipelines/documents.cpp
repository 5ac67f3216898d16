#include <fmt/core.h>

#include <algorithm>

#include "pipelines/loading.h"
#include "runner/base/text.h"

namespace runner::pipelines {
namespace {

constexpr std::string_view kHeaderHelp = "put 'spec' into a document of its own and end it with '---'";

/// Header of a file of two documents: a mapping with `spec` only.
const Node* header_spec(const Node& header, Diagnostics& diagnostics) {
  if (!header.is_map()) {
    diagnostics.error(
        "bad-header", header.range(),
        fmt::format("the header must be a mapping with 'spec', found {}", describe(header.kind())),
        "the first of two documents is the header of the file");
    return nullptr;
  }
  const Node* spec = nullptr;
  bool fine = true;
  for (const MapEntry& entry : header.entries()) {
    if (entry.key == "spec") {
      spec = entry.value;
      continue;
    }
    fine = false;
    diagnostics.error("bad-header", entry.key_range,
                      fmt::format("header may contain only 'spec', found '{}'", entry.key),
                      std::string(kHeaderHelp));
  }
  if (fine && spec == nullptr) {
    diagnostics.error("bad-header", header.range(), "the header has no 'spec'", std::string(kHeaderHelp));
  }
  if (!fine || spec == nullptr) return nullptr;
  if (spec->is_map() || spec->is_null()) return spec;
  diagnostics.error("bad-header", spec->range(),
                    fmt::format("'spec' must be a mapping, found {}", describe(spec->kind())));
  return nullptr;
}

}  // namespace

std::optional<FileParts> split_documents(FileId file, const std::vector<const Node*>& documents,
                                         Diagnostics& diagnostics) {
  FileParts parts;
  parts.file = file;
  const bool has_header =
      documents.size() == 2 && documents[0]->is_map() && documents[0]->find("spec") != nullptr;
  // A '---' at the very end starts a document nobody wrote.
  const bool empty_end = documents.size() == 2 && !has_header && documents[1]->is_null();
  if (documents.size() == 2 && !empty_end) {
    parts.spec = header_spec(*documents[0], diagnostics);
    if (parts.spec == nullptr) return std::nullopt;
    parts.body = documents[1];
  } else {
    parts.body = documents[0];
  }
  if (!parts.body->is_map()) {
    diagnostics.error("not-a-mapping", parts.body->range(),
                      fmt::format("configuration must be a map, found {}", describe(parts.body->kind())));
    return std::nullopt;
  }
  if (const MapEntry* spec = parts.body->find_entry("spec")) {
    diagnostics.error("misplaced-spec", spec->key_range,
                      "'spec' must be in its own document, end it with ---");
    return std::nullopt;
  }
  return parts;
}

void report_unknown_key(const MapEntry& entry, std::string_view where,
                        std::span<const std::string_view> allowed, Diagnostics& diagnostics) {
  const auto near = nearest(entry.key, allowed);
  std::string list;
  for (const std::string_view key : allowed) list += fmt::format("{}{}", list.empty() ? "" : ", ", key);
  diagnostics.error("unknown-key", entry.key_range, fmt::format("{} has unknown key '{}'", where, entry.key),
                    near ? fmt::format("did you mean '{}'?", *near) : fmt::format("allowed are {}", list));
}

}  // namespace runner::pipelines
