#pragma once
// Files a job leaves: at once a tree that later jobs take as a layer, and an archive that people download.
// This folder reads trees and writes archives; which jobs get what is the engine's business. Any thread.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "runner/base/layered_tree.h"

namespace runner::artifacts {

struct LayerStats {
  std::uint64_t files = 0;  // links included, directories not
  std::uint64_t bytes = 0;
  std::vector<std::string> skipped;  // sockets, pipes, devices: they are in no layer
};

/// Builds `destination` (must not exist; its parent must) from the selected entries of a workspace: hard
/// links to what lies in `upper` (the job's own, never written again), else reflink or copy. Links stay
/// links, modes and times are kept, parents that were not selected get 0755. Files only: no whiteouts, no
/// opaque marks. Made under another name and renamed: there whole or not at all. Throws Error.
LayerStats make_layer(const Selection& selection, const std::filesystem::path& upper,
                      const std::filesystem::path& destination);

enum class ArchiveFormat : std::uint8_t { zip, tar_zst };

/// Of zip archives: 0 stores, 1 to 9 deflate. The default takes half the time of zlib's own for about a tenth
/// more bytes.
inline constexpr int kDefaultCompression = 3;

struct ArchiveInfo {
  std::filesystem::path path;  // <root>/ab/abcdef....zip
  std::string sha256;
  std::uint64_t bytes = 0;
  std::uint64_t files = 0;
};

/// Packs a tree (as make_layer left it) and files it below `root` under its digest. Streams: memory does not
/// grow with the content. Entries sorted by name, so equal trees give equal archives. Throws Error; nothing
/// is visible then.
ArchiveInfo write_archive(const std::filesystem::path& tree, const std::filesystem::path& root,
                          ArchiveFormat format, int compression = kDefaultCompression);

}  // namespace runner::artifacts
