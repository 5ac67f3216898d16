#pragma once
// Registries of images, for what engines of containers do not do: what a tag names now, tags that are moved,
// parts that are copied, lists. Sources: OCI distribution spec 1.1, Docker Registry HTTP API V2, and the
// Docker Registry v2 token authentication specification.
//
// All calls: any thread. They block on the network; what goes away by itself (429, 5xx, connections that
// break) is tried again as ClientOptions::retries says, and `stop` ends everything at once. They throw Error
// that names the image, the reason and the mend, never a secret: not_found, invalid_input (logins,
// certificates, limits, what the registry does not take: trying again is of no use), corrupt (what came is
// not what its digest says), unavailable, timeout, cancelled.

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "registry/client_options.h"
#include "registry/logins.h"
#include "registry/manifest.h"
#include "registry/reference.h"

namespace runner::registry {

/// What an image's name stands for.
struct Resolved {
  Descriptor named;     // by the tag or digest: an index or a manifest
  Descriptor platform;  // the manifest of the platform; the same when there is no index
};

class RegistryClient {
 public:
  /// `logins` outlives it; each is looked up once for a repository.
  explicit RegistryClient(const Logins& logins, ClientOptions options = {});
  ~RegistryClient();
  RegistryClient(const RegistryClient&) = delete;
  RegistryClient& operator=(const RegistryClient&) = delete;

  /// What the registry says of the manifest: one request without a body. nullopt when there is none. By a
  /// registry that does not say it the manifest is fetched.
  std::optional<Descriptor> find_manifest(const Reference& image, const std::stop_token& stop = {});
  /// The bytes, which have the digest that is named, or that the registry says.
  Manifest fetch_manifest(const Reference& image, const std::stop_token& stop = {});
  /// From a tag to digests; of an index the manifest for `platform`.
  Resolved resolve(const Reference& image, const Platform& platform, const std::stop_token& stop = {});
  /// The same bytes and media type under the tag or digest of `to`; all parts must be there. A tag that there
  /// is moves.
  void put_manifest(const Reference& to, const Manifest& manifest, const std::stop_token& stop = {});
  /// What `image` names is named `tag`, too.
  Descriptor move_tag(const Reference& image, const std::string& tag, const std::stop_token& stop = {});
  /// Sorted by their bytes.
  std::vector<std::string> list_tags(const Reference& image, const std::stop_token& stop = {});

  /// Its size; nullopt when it is not there. Of `image` the repository counts, here and below.
  std::optional<std::uint64_t> find_blob(const Reference& image, const std::string& digest,
                                         const std::stop_token& stop = {});
  /// A small one, such as a configuration. Longer than `most`: Error{invalid_input}.
  std::string read_blob(const Reference& image, const Descriptor& blob, std::size_t most,
                        const std::stop_token& stop = {});
  /// Into `file`, which is there when all of it came and has its digest, and else as it was. A broken
  /// connection is taken up where it broke.
  void fetch_blob(const Reference& image, const Descriptor& blob, const std::filesystem::path& file,
                  const std::stop_token& stop = {});
  /// The content of `file`, which nobody changes meanwhile; nothing is sent of what is there. In one request
  /// or in chunks, which go on where a connection broke.
  Descriptor push_blob(const Reference& to, const std::filesystem::path& file,
                       const std::stop_token& stop = {});
  /// From one repository to another: of the same registry by mounting it when the registry does that, else
  /// through a temporary file.
  void copy_blob(const Reference& from, const Reference& to, const Descriptor& blob,
                 const std::stop_token& stop = {});

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace runner::registry
