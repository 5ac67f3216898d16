#include "runner/daemon/project_access.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "runner/base/error.h"
#include "runner/base/files.h"

namespace runner::daemon {
namespace {

/// The key as a file for the ssh client: by the path of our descriptor, which another process of this user
/// opens, too.
UniqueFd key_in_memory(std::string_view key) {
  UniqueFd file(::memfd_create("runner-key", MFD_CLOEXEC));
  if (!file || ::fchmod(file.get(), 0600) != 0) throw_errno("cannot make a memory file");
  write_all(file.get(), key);
  // OpenSSH reads no key whose last line does not end.
  if (!key.ends_with('\n')) write_all(file.get(), "\n");
  return file;
}

}  // namespace

ProjectAccess open_access(storage::Tx& tx, const storage::Sealer& sealer,
                          const storage::ProjectRecord& project, const std::filesystem::path& data_dir) {
  ProjectAccess opened;
  git::RemoteAccess& access = opened.access;
  access.url = project.url;
  access.known_hosts = data_dir / "known_hosts";
  access.host_keys = git::HostKeyPolicy::accept_new;
  storage::Credentials credentials(tx, sealer);
  for (const storage::CredentialRecord& credential : credentials.of_project(project.id)) {
    using storage::CredentialKind;
    if (!opens_repository(credential.kind)) continue;
    const auto secret = credentials.open(credential.id);
    if (!secret) continue;
    access.username = credential.username;
    if (credential.kind == CredentialKind::ssh_key) {
      opened.key = key_in_memory(secret->text());
      access.key_file = "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(opened.key.get());
    } else {
      // Forges take any name with a token, but one.
      if (access.username.empty() && credential.kind == CredentialKind::token) access.username = "oauth2";
      access.secret = std::string(secret->text());
    }
  }
  return opened;
}

}  // namespace runner::daemon
