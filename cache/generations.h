#pragma once
// The generations of one cache key on disk. Internal to this folder.
//
//   KEY/lock             held while generations are switched or swept: microseconds
//   KEY/g-XXXXXX/        one generation, its directory locked (shared) by whoever reads or writes it
//     tree/  meta.json   meta.json is written last: without it the generation is none
//   KEY/current          symbolic link to a generation, switched by rename
//   ROOT/trash/          what was taken out and is being removed
//
// Locks are flock() on descriptors, so a killed process leaves none. Any thread, any process.

#include <filesystem>
#include <optional>

#include "runner/base/fd.h"

namespace runner::cache {

/// A generation that nobody removes while this lives.
struct PinnedGeneration {
  std::filesystem::path path;
  UniqueFd lock;
};

/// The current generation of a key. nullopt when there is none. Throws Error.
std::optional<PinnedGeneration> pin_current(const std::filesystem::path& key_directory);

/// A new empty generation, not current yet. Makes the key's directory. Throws Error.
PinnedGeneration begin_generation(const std::filesystem::path& key_directory);

/// Makes it the current one and moves all that nobody holds into `trash`. Throws Error: the old one is
/// current then.
void make_current(const std::filesystem::path& key_directory, const PinnedGeneration& generation,
                  const std::filesystem::path& trash);

/// Removes what is in `trash`. What cannot be removed is logged and stays.
void empty_trash(const std::filesystem::path& trash) noexcept;

}  // namespace runner::cache
