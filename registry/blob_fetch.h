#pragma once
// A blob that comes into a file. Source: OCI distribution spec 1.1, "Pulling blobs". Internal to this folder.

#include <cstdint>
#include <filesystem>

#include "registry/channel.h"
#include "registry/manifest.h"
#include "registry/retry.h"

namespace runner::registry {

class BlobFetch {
 public:
  /// All outlive it. The digest is one of sha256.
  BlobFetch(Channel& channel, const ClientOptions& options, const Reference& image, const Descriptor& blob);

  /// Writes beside `file` and renames when all is there. Throws Error; `file` is as it was then.
  void into(const std::filesystem::path& file, Retry& retry);

 private:
  struct Draft;
  bool attempt(Draft& draft, Retry& retry) const;

  Channel& channel_;
  const ClientOptions& options_;
  const Reference& image_;
  const Descriptor& blob_;
};

}  // namespace runner::registry
