#pragma once
// Internal to loading: what its steps share, and the parts of one file.

#include <cstddef>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/document.h"

namespace runner::pipelines {

/// Where a file comes from: `local` inside it means a file of the same place.
struct Origin {
  enum class Kind : std::uint8_t { root, project, nowhere };
  Kind kind = Kind::root;
  std::string project, ref;  // kind project
};

/// One loading of a document.
struct Loading {
  const LoadContext& context;
  Sources& sources;
  NodeArena& arena;
  Diagnostics& diagnostics;
  std::size_t included = 0;  // files so far
  bool complete = true;      // nothing is missing
  bool stopped = false;      // too many files: no more includes
};

/// The documents of one file, told apart.
struct FileParts {
  FileId file = 0;
  const Node* spec = nullptr;  // nullptr without a header
  const Node* body = nullptr;  // never nullptr; a mapping
};

/// Tells header and body apart and checks their shapes. nullopt when something was reported.
std::optional<FileParts> split_documents(FileId file, const std::vector<const Node*>& documents,
                                         Diagnostics& diagnostics);

/// Reports a key that is none of the allowed ones, with the nearest of them as help.
void report_unknown_key(const MapEntry& entry, std::string_view where,
                        std::span<const std::string_view> allowed, Diagnostics& diagnostics);

}  // namespace runner::pipelines
