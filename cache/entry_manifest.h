#pragma once
// What an exported entry says of itself: a JSON document beside its packed layers. Pure. Internal to this
// folder.

#include <string>
#include <string_view>
#include <vector>

#include "cache/layer_store.h"

namespace runner::cache {

struct EntryManifest {
  EntryName name;
  EntryFacts facts;
  TimePoint saved_at{};
  std::uint64_t files = 0, bytes = 0;
  std::vector<std::string> layers;  // digests, top first
};

/// Throws Error{invalid_input} when a text is no UTF-8.
std::string write_manifest(const EntryManifest& manifest);
/// Of anybody's making. Throws Error{invalid_input} unless it is one: a cache with at least one layer, at
/// most as many as a stack may have, each named by a digest.
EntryManifest read_manifest(std::string_view text);

}  // namespace runner::cache
