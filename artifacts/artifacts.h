#pragma once
// Files a job leaves: at once a tree that later jobs take as a layer, and an archive that people download.
// This folder reads trees and writes archives; which jobs get what is the engine's business. Any thread.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "runner/base/layered_tree.h"

namespace runner::artifacts {

struct LayerStats {
  std::uint64_t files = 0;  // links included, directories not
  std::uint64_t directories = 0;
  std::uint64_t bytes = 0;  // their lengths
  std::uint64_t disk = 0;   // blocks they take, in bytes; what shares an inode counts once (take_layer only)
  std::vector<std::string> skipped;  // sockets, pipes, devices: they are in no layer
};

/// Builds `destination` (must not exist; its parent must) from the selected entries of a workspace: hard
/// links to what lies in `upper` (the job's own, never written again), else reflink or copy. Links stay
/// links, modes and times are kept, parents that were not selected get 0755. Files only: no whiteouts, no
/// opaque marks. Made under another name and renamed: there whole or not at all. Throws Error.
LayerStats make_layer(const Selection& selection, const std::filesystem::path& upper,
                      const std::filesystem::path& destination);

/// What a job leaves, and where it is.
struct TakeRequest {
  std::vector<std::filesystem::path> layers;  // of the workspace, top first; the first is the job's own
  std::vector<std::string> paths, exclude;    // glob-D patterns, expanded
  bool untracked = false;                     // every file git does not track as well
  std::function<bool(std::string_view path)> is_tracked;  // for untracked; may be empty: nothing is
  std::string root;                                       // where the job saw the workspace
  /// The job's own files may be moved: nobody reads these paths afterwards. Else they are linked.
  bool may_move = false;
  /// Files that never change again, so they are linked and not copied; may be empty.
  std::function<bool(const std::filesystem::path&)> is_immutable;
  std::uint64_t max_bytes = 0;  // 0 = no limit; more throws Error{invalid_input}
};

struct Taken {
  LayerStats stats;
  std::vector<std::string> without_match, outside;  // patterns: matched nothing; leave the root, skipped
  std::vector<std::string> closed;  // directories that may not be read: what they hold is not among it
  bool has_git = false;             // some of it lies in the top's .git
  bool empty() const noexcept { return stats.files == 0 && stats.directories == 0; }
};

/// Fills the empty directory `tree` with what the request selects. A directory that is selected whole and
/// lies in the job's own layer alone is moved by one rename, so the cost is that of looking, not of files.
/// Files only, as make_layer(). Throws Error; the caller removes `tree` then.
Taken take_layer(const TakeRequest& request, const std::filesystem::path& tree);

enum class ArchiveFormat : std::uint8_t { zip, tar_zst };

/// 0 to 9, as of deflate; 0 stores, and is the fastest level of zstd. The default takes half the time of
/// zlib's own for about a tenth more bytes.
inline constexpr int kDefaultCompression = 3;

struct ArchiveInfo {
  std::filesystem::path path;  // <root>/ab/abcdef....zip
  std::string sha256;
  std::uint64_t bytes = 0;
  std::uint64_t files = 0;
};

/// Packs a tree (as make_layer left it) and files it below `root` under its digest. Streams: memory does not
/// grow with the content. Entries sorted by name, so equal trees give equal archives. What is there under its
/// digest is whole and on disk. `stop` is asked now and then; true ends it with Error{cancelled}. Throws
/// Error; nothing is visible then.
ArchiveInfo write_archive(const std::filesystem::path& tree, const std::filesystem::path& root,
                          ArchiveFormat format, int compression = kDefaultCompression,
                          const std::function<bool()>& stop = {});

/// ".zip" or ".tar.zst".
std::string_view extension_of(ArchiveFormat format) noexcept;

/// Removes what write_archive() of processes that were killed left below `root`; of those that are at work,
/// nothing. Missing is fine. Throws Error.
void remove_leftovers(const std::filesystem::path& root);

}  // namespace runner::artifacts
