#include "runner/daemon/data_directory.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <string>
#include <utility>

#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/text.h"
#include "runner/storage/data_key.h"
#include "runner/storage/sealed_values.h"

namespace runner::daemon {
namespace {

constexpr const char* kBootFile = "boot";

std::string boot_id() {
  auto id = read_file("/proc/sys/kernel/random/boot_id");
  if (!id) throw Error(ErrorCode::unavailable, "the kernel does not say when it was started");
  return std::string(trim(*id));
}

}  // namespace

DataDirectory::DataDirectory(std::filesystem::path path) : path_(std::move(path)) {
  make_directories(path_, 0750);
  const std::filesystem::path lock = path_ / "daemon.lock";
  lock_ = UniqueFd(::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock_) throw_errno("cannot use the data directory: cannot open " + in_quotes(lock.native()));
  while (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR) continue;
    if (errno == EWOULDBLOCK) {
      throw Error(ErrorCode::conflict, "another `runner serve` has the data directory " +
                                           in_quotes(path_.native()) +
                                           "; stop it, or name another directory with --data");
    }
    throw_errno("cannot lock " + in_quotes(lock.native()));
  }
  const std::string now = boot_id();
  const auto before = read_file(path_ / kBootFile);
  rebooted_ = before && trim(*before) != now;
  write_file_atomic(path_ / kBootFile, now + "\n");
}

storage::Sealer open_sealer(const std::filesystem::path& data, const storage::Store& store) {
  bool sealed = false;
  store.read([&](storage::Tx& tx) { sealed = storage::has_sealed_values(tx); });
  const storage::DataKeyFiles files = data_key_files(data);
  storage::Secret key =
      sealed ? storage::read_data_key(files.sealing()) : storage::read_or_make_data_key(files.sealing());
  std::vector<storage::Secret> older;
  for (const storage::DataKeyFile& file : files.list())
    if (!file.seals) older.push_back(storage::read_data_key(file.path));
  return storage::Sealer(std::move(key), std::move(older));
}

storage::DataKeyFiles data_key_files(const std::filesystem::path& data) {
  make_directories(data / "secrets", 0700);
  return storage::DataKeyFiles(data / "secrets");
}

storage::AuditKey open_audit_key(const std::filesystem::path& data) {
  make_directories(data / "secrets", 0700);
  return storage::AuditKey(storage::read_or_make_data_key(data / "secrets" / "audit.key"));
}

}  // namespace runner::daemon
