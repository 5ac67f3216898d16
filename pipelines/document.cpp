#include "pipelines/document.h"

#include "pipelines/file_loader.h"
#include "pipelines/loading.h"
#include "pipelines/reference.h"

namespace runner::pipelines {

std::optional<ResolvedDocument> load_document(std::string_view root_file, std::string_view root_text,
                                              const LoadContext& context, Sources& sources, NodeArena& arena,
                                              Diagnostics& diagnostics) {
  Loading loading{context, sources, arena, diagnostics};
  FileLoader loader(loading);
  const Node* merged =
      loader.load(std::string(root_file), std::string(root_text), {}, {nullptr, &context.inputs, {}});
  if (merged == nullptr) return std::nullopt;
  Resolution resolution = resolve_names(*merged, loading.complete, arena, diagnostics);
  if (resolution.root == nullptr) return std::nullopt;
  return ResolvedDocument{resolution.root, loading.complete, std::move(resolution.broken)};
}

}  // namespace runner::pipelines
