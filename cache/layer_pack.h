#pragma once
// A layer as one stream: the canonical archive of a tree. Equal trees give equal bytes, so its SHA-256 is the
// name of the layer, here and on any other machine.
//
// Format: POSIX pax tar; names of each directory sorted bytewise, a directory before its content; with type,
// mode, owner (0 for whoever packs), modification time in nanoseconds, link targets, user.* attributes other
// than overlay's; a further name of a file that came before is a hard link to the first. Nothing of the top
// directory but its mark. Whiteouts and opaque directories by the conventions of OCI image layers: an empty
// file ".wh.NAME", and ".wh..wh..opq" first in the directory. What is itself named ".wh.X" becomes
// ".wh..wh.lit.X", which other readers of such layers leave out.
// Compressed with zstd for transfer; the digest is of the uncompressed bytes (as an image's diff id).
// Sources: POSIX.1-2017 pax; the OCI image specification, "Image Layer Filesystem Changeset".

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

#include "runner/base/unpack.h"

namespace runner::cache {

/// Gives the stream to `sink` in pieces of any size. `stop` is asked at each entry and each few 100 KiB: true
/// throws Error{cancelled}. A file that is read as another length than it had throws Error{conflict}, a
/// socket or device Error{invalid_input}. Blocks.
void pack_layer(const std::filesystem::path& tree, const std::function<void(std::string_view)>& sink,
                const std::function<bool()>& stop = {});

/// "sha256:" and 64 hex digits of that stream.
std::string layer_digest(const std::filesystem::path& tree, const std::function<bool()>& stop = {});

struct PackedLayer {
  std::string digest;       // of the layer
  std::uint64_t bytes = 0;  // of the file
};
/// Writes the compressed stream to a file, made under another name and renamed. Throws Error.
PackedLayer write_packed_layer(const std::filesystem::path& tree, const std::filesystem::path& file,
                               int compression = 3, const std::function<bool()>& stop = {});

/// Fills the empty directory `tree` from a packed layer. Nothing is written outside of it, whatever the
/// archive says. Throws Error{corrupt} unless the stream's digest is `digest`, Error{invalid_input} for what
/// no layer has or what `limits` refuse; the caller removes the tree then. Blocks.
void read_packed_layer(const std::filesystem::path& file, const std::string& digest,
                       const std::filesystem::path& tree, const UnpackLimits& limits);

}  // namespace runner::cache
