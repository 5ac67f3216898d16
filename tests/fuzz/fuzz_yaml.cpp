// The YAML reader and the renderer of messages. An input is one file.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "pipelines/diagnostic.h"
#include "pipelines/node.h"
#include "pipelines/yaml_reader.h"
#include "tests/fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace runner;
  using namespace runner::pipelines;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Sources sources;
  NodeArena arena;
  Diagnostics diagnostics;
  const FileId file = sources.add("input.yml", std::string(text));
  const auto documents = read_yaml(file, sources.text(file), arena, diagnostics);
  test::promise(documents.has_value() != diagnostics.has_errors(),
                "no documents means errors, and errors mean none");
  if (documents) test::promise(documents->size() <= kMaxDocuments, "documents are limited");
  for (const auto& diagnostic : diagnostics.all()) {
    test::promise(!diagnostic.id.empty() && !diagnostic.message.empty(), "a message has an id and words");
    test::promise(diagnostic.where.file == file, "a message has a place in the file");
  }
  (void)render(diagnostics.sorted(), sources);
  return 0;
}
