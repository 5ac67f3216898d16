#pragma once
// Manifests and lists of them. Sources: OCI image spec 1.1 (manifest, image index, descriptor), Docker image
// manifest version 2, schema 2. Pure; any thread.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace runner::registry {

struct Descriptor {
  std::string media_type;
  std::string digest;
  std::uint64_t size = 0;  // bytes; 0 when it is not known
  bool operator==(const Descriptor&) const = default;
};

struct Platform {
  std::string os = "linux", architecture, variant;  // as Go names them: "amd64", "arm" and "v7"
  /// "linux/arm/v7".
  std::string text() const;
  bool operator==(const Platform&) const = default;
};

/// That of this machine.
Platform this_platform();

struct Manifest {
  Descriptor descriptor;
  std::string bytes;  // as the registry keeps them: their digest is the manifest's
};

/// What is asked for with Accept.
const std::vector<std::string>& manifest_types();
/// An index of OCI, or a list of Docker.
bool is_index(std::string_view media_type);

/// Which kind of manifest it is, by its field 'mediaType' and by what the server said. Throws
/// Error{corrupt} when both differ, or when it is none that we know.
std::string manifest_type(std::string_view bytes, std::string_view content_type);

struct IndexEntry {
  Descriptor manifest;
  Platform platform;  // empty architecture: none is said
};
/// Throws Error{corrupt}.
std::vector<IndexEntry> parse_index(std::string_view bytes);
/// The entry for `wanted`: that of its variant, else the next lower one. Throws Error{not_found} with those
/// there are.
const IndexEntry& choose_platform(const std::vector<IndexEntry>& entries, const Platform& wanted);

struct ImageParts {
  Descriptor config;
  std::vector<Descriptor> layers;
};
/// Throws Error{corrupt}.
ImageParts parse_image(std::string_view bytes);

}  // namespace runner::registry
