#pragma once
// A file that becomes a blob. Source: OCI distribution spec 1.1, "Pushing blobs" and "Mounting a blob from
// another repository". Internal to this folder.

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <optional>

#include "registry/channel.h"
#include "registry/manifest.h"
#include "registry/retry.h"
#include "runner/base/fd.h"

namespace runner::registry {

/// HEAD: its size; nullopt when it is not there.
std::optional<std::uint64_t> find_blob_once(Channel& channel, const Reference& image,
                                            const std::string& digest, const std::stop_token& stop);
/// True when it is in the repository of `to` now. False when the registry wants it sent.
bool mount_blob(Channel& channel, const Reference& from, const Reference& to, const std::string& digest,
                const std::stop_token& stop);

class BlobUpload {
 public:
  /// All outlive it. Reads the file once for its digest. Throws Error.
  BlobUpload(Channel& channel, const ClientOptions& options, const Reference& to,
             const std::filesystem::path& file);

  void run(Retry& retry);
  const Descriptor& blob() const noexcept { return blob_; }

 private:
  void begin(const std::stop_token& stop);
  bool take_up(const std::stop_token& stop);
  void send_chunk(const std::stop_token& stop);
  void finish(const std::stop_token& stop);
  Answer expect(const Call& call, std::initializer_list<long> statuses, const std::stop_token& stop);
  void moved_to(const Answer& answer);
  HttpSource part(std::uint64_t offset, std::uint64_t size) const;
  Call call(const char* method) const;

  Channel& channel_;
  const ClientOptions& options_;
  const Reference& to_;
  UniqueFd fd_;
  Descriptor blob_;
  std::optional<Url> session_;  // where the registry takes it
  std::uint64_t offset_ = 0;    // what it has
  std::uint64_t chunk_ = 0;
};

}  // namespace runner::registry
