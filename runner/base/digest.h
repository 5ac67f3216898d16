#pragma once
// Digests as lower-case hex (OpenSSL behind). Any thread.

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace runner {

std::string sha256_hex(std::string_view bytes);
/// For identifiers the dialect defines by SHA-1 (cache:key:files); never for security.
std::string sha1_hex(std::string_view bytes);

/// A running SHA-256, for streams.
class Sha256 {
 public:
  Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  ~Sha256();
  void update(std::string_view bytes);
  /// Ends the digest; update() must not be called afterwards.
  std::string finish_hex();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace runner
