#include "artifacts/hidden_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <system_error>

#include "artifacts/artifacts.h"
#include "runner/base/error.h"
#include "runner/base/failpoint.h"
#include "runner/base/text.h"

namespace runner::artifacts {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kPrefix = ".archive-";

bool lock(int fd, int how) {
  int result = 0;
  do {
    result = ::flock(fd, how);
  } while (result != 0 && errno == EINTR);
  return result == 0;
}

bool has_a_name(int fd) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) throw_errno("cannot look at a new file");
  return info.st_nlink > 0;
}

void sync_directory(const fs::path& path) {
  const UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory || ::fsync(directory.get()) != 0)
    throw_errno("cannot sync directory " + in_quotes(path.native()));
}

}  // namespace

HiddenFile::HiddenFile(const fs::path& directory) {
  // Between the making and the lock it may have been taken for a leftover.
  do {
    path_ = (directory / (std::string(kPrefix) + "XXXXXX")).string();
    fd_.reset(::mkostemp(path_.data(), O_CLOEXEC));
    if (!fd_ || !lock(fd_.get(), LOCK_EX)) {
      throw_errno("cannot make a file in " + in_quotes(directory.native()));
    }
  } while (!has_a_name(fd_.get()));
}

HiddenFile::~HiddenFile() {
  if (!path_.empty()) ::unlink(path_.c_str());
}

void HiddenFile::publish(const fs::path& target) {
  if (::fchmod(fd_.get(), 0644) != 0) throw_errno("cannot set the mode");
  if (::fsync(fd_.get()) != 0) throw_errno("cannot sync");
  failpoint("artifacts.synced");
  if (::rename(path_.c_str(), target.c_str()) != 0)
    throw_errno("cannot rename to " + in_quotes(target.native()));
  path_.clear();
  failpoint("artifacts.published");
  sync_directory(target.parent_path());
  sync_directory(target.parent_path().parent_path());
}

void remove_leftovers(const fs::path& root) {
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(root, error)) {
    if (!entry.path().filename().string().starts_with(kPrefix)) continue;
    const UniqueFd file(::open(entry.path().c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!file || !lock(file.get(), LOCK_EX | LOCK_NB)) continue;  // at work, or gone already
    if (::unlink(entry.path().c_str()) != 0 && errno != ENOENT) {
      throw_errno("cannot remove " + in_quotes(entry.path().native()));
    }
  }
  if (error && error != std::errc::no_such_file_or_directory) {
    throw Error(error, "cannot read directory " + in_quotes(root.native()));
  }
}

}  // namespace runner::artifacts
