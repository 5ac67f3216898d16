#pragma once
// The data directory as a daemon takes it: for itself alone, with what it knows of the machine.

#include <filesystem>

#include "runner/base/fd.h"
#include "runner/storage/audit_chain.h"
#include "runner/storage/data_key_files.h"
#include "runner/storage/sealer.h"
#include "runner/storage/store.h"

namespace runner::daemon {

/// Held as long as this lives. Throws Error{conflict} when another daemon has it, Error when it cannot be
/// made or written to.
class DataDirectory {
 public:
  explicit DataDirectory(std::filesystem::path path);
  const std::filesystem::path& path() const noexcept { return path_; }
  /// The machine was started again since a daemon was here last.
  bool rebooted() const noexcept { return rebooted_; }

 private:
  std::filesystem::path path_;
  UniqueFd lock_;
  bool rebooted_ = false;
};

/// With the keys of data_key_files(); the one that seals is made when nothing is sealed yet. Throws Error.
storage::Sealer open_sealer(const std::filesystem::path& data, const storage::Store& store);
/// Those in PATH/secrets, which is made. Throws Error.
storage::DataKeyFiles data_key_files(const std::filesystem::path& data);
/// PATH/secrets/audit.key; made when it is not there. Throws Error.
storage::AuditKey open_audit_key(const std::filesystem::path& data);

}  // namespace runner::daemon
