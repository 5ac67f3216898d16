#include "runner/cli/artifact_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <vector>

#include "runner/base/digest.h"
#include "runner/base/error.h"
#include "runner/base/fd.h"
#include "runner/base/files.h"
#include "runner/base/text.h"

namespace runner::cli {
namespace {

namespace fs = std::filesystem;

/// Its SHA-256, while `sink` (may be empty) gets the bytes.
std::string read_all(const fs::path& archive, const std::function<void(std::string_view)>& sink) {
  const UniqueFd file(::open(archive.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) throw_errno("cannot open " + in_quotes(archive.native()));
  Sha256 digest;
  std::vector<char> buffer(std::size_t{256} << 10U);
  for (;;) {
    const auto got = ::read(file.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_errno("cannot read " + in_quotes(archive.native()));
    if (got == 0) return digest.finish_hex();
    const std::string_view bytes(buffer.data(), static_cast<std::size_t>(got));
    digest.update(bytes);
    if (sink) sink(bytes);
  }
}

/// Gone unless it was given its name.
class TemporaryFile {
 public:
  explicit TemporaryFile(const fs::path& target) : path_(target.string() + ".XXXXXX") {
    fd_.reset(::mkostemp(path_.data(), O_CLOEXEC));
    if (!fd_) throw_errno("cannot write " + in_quotes(target.native()));
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }
  int fd() const noexcept { return fd_.get(); }
  void rename_to(const fs::path& target) {
    // As any new file of the user's.
    const mode_t mask = ::umask(0);
    ::umask(mask);
    if (::fchmod(fd_.get(), 0666 & ~mask) != 0 || ::rename(path_.c_str(), target.c_str()) != 0) {
      throw_errno("cannot write " + in_quotes(target.native()));
    }
    path_.clear();
  }

 private:
  std::string path_;
  UniqueFd fd_;
};

}  // namespace

bool write_whole(const fs::path& target, const std::function<bool(int fd)>& fill) {
  TemporaryFile file(target);
  try {
    if (!fill(file.fd())) return false;
  } catch (Error& error) {
    error.add_context("cannot write " + in_quotes(target.native()));
    throw;
  }
  file.rename_to(target);
  return true;
}

bool copy_verified(const fs::path& archive, std::string_view sha256, const fs::path& target) {
  return write_whole(target, [&](int fd) {
    return read_all(archive, [&](std::string_view bytes) { write_all(fd, bytes); }) == sha256;
  });
}

bool write_verified(const fs::path& archive, std::string_view sha256, int fd) {
  if (!is_intact(archive, sha256)) return false;
  return read_all(archive, [&](std::string_view bytes) { write_all(fd, bytes); }) == sha256;
}

bool is_intact(const fs::path& archive, std::string_view sha256) {
  return read_all(archive, {}) == sha256;
}

}  // namespace runner::cli
