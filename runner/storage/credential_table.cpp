#include "runner/storage/credential_table.h"

#include "runner/base/error.h"
#include "runner/storage/names.h"
#include "runner/storage/row.h"

namespace runner::storage {
namespace {

constexpr auto kKinds = {CredentialKind::token, CredentialKind::password, CredentialKind::ssh_key,
                         CredentialKind::webhook_secret, CredentialKind::forge_token};
constexpr std::size_t kMaxSecret = 64U << 10U;
constexpr std::size_t kMaxUsername = 1024;

#define RUNNER_CREDENTIAL_COLUMNS "id, project_id, kind, username, created_at"

constexpr std::string_view kById = "SELECT " RUNNER_CREDENTIAL_COLUMNS " FROM credentials WHERE id = $1";
constexpr std::string_view kOfProject =
    "SELECT " RUNNER_CREDENTIAL_COLUMNS " FROM credentials WHERE project_id = $1 ORDER BY id";
constexpr std::string_view kInsert =
    "INSERT INTO credentials (" RUNNER_CREDENTIAL_COLUMNS ", secret) VALUES ($1, $2, $3, $4, $5, $6)";

#undef RUNNER_CREDENTIAL_COLUMNS

SealPlace place_of(std::int64_t id) noexcept {
  return {"credentials", "secret", id};
}

void check_secret(std::string_view secret) {
  if (secret.empty()) throw Error(ErrorCode::invalid_input, "a secret may not be empty");
  if (secret.size() > kMaxSecret) {
    throw Error(ErrorCode::invalid_input, "a secret may have " + std::to_string(kMaxSecret) +
                                              " bytes, and this one has " + std::to_string(secret.size()));
  }
}

CredentialRecord to_credential(const Row& row) {
  CredentialRecord credential;
  credential.id = as_integer(row[0]);
  credential.project = as_integer(row[1]);
  credential.kind = as_enumerator(row[2], kKinds, "kind of credential");
  credential.username = as_text(row[3]);
  credential.created_at = as_time(row[4]);
  return credential;
}

}  // namespace

std::string_view to_string(CredentialKind kind) noexcept {
  switch (kind) {
    case CredentialKind::token:
      return "token";
    case CredentialKind::password:
      return "password";
    case CredentialKind::ssh_key:
      return "ssh_key";
    case CredentialKind::webhook_secret:
      return "webhook_secret";
    case CredentialKind::forge_token:
      return "forge_token";
  }
  return "token";
}

bool opens_repository(CredentialKind kind) noexcept {
  return kind != CredentialKind::webhook_secret && kind != CredentialKind::forge_token;
}

std::optional<CredentialKind> parse_credential_kind(std::string_view text) noexcept {
  for (const CredentialKind kind : kKinds) {
    if (text == to_string(kind)) return kind;
  }
  return std::nullopt;
}

std::int64_t Credentials::insert(const CredentialRecord& record, std::string_view secret) {
  check_secret(secret);
  check_text("the user name", record.username, kMaxUsername);
  check_project(tx_, record.project);
  const std::int64_t id = tx_.take_ids("credentials", 1);
  tx_.sql().exec(kInsert, {id, record.project, std::string(to_string(record.kind)), record.username,
                           to_value(record.created_at), sealer_.seal(secret, place_of(id))});
  return id;
}

std::optional<CredentialRecord> Credentials::find(std::int64_t id) {
  const auto rows = tx_.sql().query(kById, {id});
  if (rows.empty()) return std::nullopt;
  return to_credential(rows[0]);
}

std::vector<CredentialRecord> Credentials::of_project(std::int64_t project) {
  std::vector<CredentialRecord> credentials;
  for (const Row& row : tx_.sql().query(kOfProject, {project})) credentials.push_back(to_credential(row));
  return credentials;
}

std::optional<Secret> Credentials::open(std::int64_t id) {
  const auto rows = tx_.sql().query("SELECT secret FROM credentials WHERE id = $1", {id});
  if (rows.empty()) return std::nullopt;
  return sealer_.open(as_bytes(rows[0][0]), place_of(id));
}

bool Credentials::replace_secret(std::int64_t id, std::string_view secret) {
  check_secret(secret);
  return tx_.sql().exec("UPDATE credentials SET secret = $2 WHERE id = $1",
                        {id, sealer_.seal(secret, place_of(id))}) == 1;
}

void Credentials::remove(std::int64_t id) {
  tx_.sql().exec("DELETE FROM credentials WHERE id = $1", {id});
}

}  // namespace runner::storage
