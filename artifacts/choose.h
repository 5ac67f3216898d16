#pragma once
// What a TakeRequest selects, as few items as possible: a directory that is selected with all below it is one
// item and is not looked into. Used inside this folder only.

#include <cstdint>
#include <string>
#include <vector>

#include "artifacts/artifacts.h"
#include "runner/base/layered_reader.h"

namespace runner::artifacts {

struct Item {
  std::string path;  // "" is the root of the workspace
  EntryType type = EntryType::file;
  std::uint32_t layer = 0;
  layered_detail::LayerList layers;  // of a directory: where it is seen
  bool own = true;                   // the entry itself is selected, not only what is below it
  bool whole = false;                // of a directory: with everything below
  /// Patterns that match nothing when the directory turns out to be empty.
  std::vector<std::string> expected_by;
};

struct Choice {
  std::vector<Item> items;  // sorted by path, each once, none below a whole one
  std::vector<std::string> without_match, outside;
};

/// Reads the layers, changes nothing. Throws Error.
Choice choose(const TakeRequest& request, const layered_detail::LayeredReader& reader);

}  // namespace runner::artifacts
