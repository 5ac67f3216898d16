#pragma once
// What a server proves itself with to the repository of a project, and what others prove themselves with to
// it: sealed, and never read without the Sealer.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runner/base/clock.h"
#include "runner/storage/sealer.h"
#include "runner/storage/store.h"

namespace runner::storage {

enum class CredentialKind : std::uint8_t { token, password, ssh_key, webhook_secret, forge_token };
/// The text that is stored and shown: the enumerator's name.
std::string_view to_string(CredentialKind kind) noexcept;
std::optional<CredentialKind> parse_credential_kind(std::string_view text) noexcept;

/// Whether it opens the repository itself: all but what webhooks and the forge's API are for.
bool opens_repository(CredentialKind kind) noexcept;

/// All but the secret.
struct CredentialRecord {
  std::int64_t id = 0;
  std::int64_t project = 0;
  CredentialKind kind = CredentialKind::token;
  std::string username;  // may be empty
  TimePoint created_at{};
};

class Credentials {
 public:
  Credentials(Tx& tx, const Sealer& sealer) noexcept : tx_(tx), sealer_(sealer) {}
  /// The id is not looked at. Returns the id. Throws Error{invalid_input} for an empty secret, one over 64
  /// KiB, or a user name that cannot be; Error{not_found} without the project.
  std::int64_t insert(const CredentialRecord& record, std::string_view secret);
  std::optional<CredentialRecord> find(std::int64_t id);
  /// Oldest first: there may be several of a kind while one takes the other's place.
  std::vector<CredentialRecord> of_project(std::int64_t project);
  /// nullopt when it is gone. Throws as Sealer::open() does.
  std::optional<Secret> open(std::int64_t id);
  /// False when it is gone.
  bool replace_secret(std::int64_t id, std::string_view secret);
  /// Fine when it is gone already.
  void remove(std::int64_t id);

 private:
  Tx& tx_;
  const Sealer& sealer_;
};

}  // namespace runner::storage
