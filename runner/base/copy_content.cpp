#include "runner/base/copy_content.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>

#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner {
namespace fs = std::filesystem;
namespace {

/// Plain copying between file systems that cannot do it in the kernel.
void copy_by_hand(int from, int to, off_t begin, off_t end, const fs::path& shown) {
  std::string buffer(static_cast<std::size_t>(std::min<off_t>(end - begin, 1 << 20)), '\0');
  while (begin < end) {
    const auto wanted =
        static_cast<std::size_t>(std::min<off_t>(end - begin, static_cast<off_t>(buffer.size())));
    const auto got = ::pread(from, buffer.data(), wanted, begin);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_errno("cannot read " + in_quotes(shown.native()));
    if (got == 0) return;
    for (ssize_t done = 0; done < got;) {
      const auto put = ::pwrite(to, buffer.data() + done, static_cast<std::size_t>(got - done), begin + done);
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) throw_errno("cannot write the copy of " + in_quotes(shown.native()));
      done += put;
    }
    begin += got;
  }
}

bool needs_copying_by_hand(int error) noexcept {
  return error == EXDEV || error == EINVAL || error == EOPNOTSUPP || error == ENOSYS || error == EPERM;
}

void copy_range(int from, int to, off_t begin, off_t end, const fs::path& shown) {
  while (begin < end) {
    off_t in = begin;
    off_t out = begin;
    const auto got = ::copy_file_range(from, &in, to, &out, static_cast<std::size_t>(end - begin), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && !needs_copying_by_hand(errno)) throw_errno("cannot copy " + in_quotes(shown.native()));
    // Nothing copied: the file became shorter meanwhile, or its file system only pretends to copy.
    if (got <= 0) return copy_by_hand(from, to, begin, end, shown);
    begin += got;
  }
}

}  // namespace

bool clone_content(int from, int to) noexcept {
  return ::ioctl(to, FICLONE, from) == 0;
}

void copy_content(int from, int to, off_t size, const fs::path& shown) {
  if (size == 0) return;
  if (::ftruncate(to, size) != 0) throw_errno("cannot write the copy of " + in_quotes(shown.native()));
  for (off_t at = 0; at < size;) {
    const off_t data = ::lseek(from, at, SEEK_DATA);
    if (data < 0 && errno == ENXIO) return;  // only a hole is left
    const off_t hole = data < 0 ? -1 : ::lseek(from, data, SEEK_HOLE);
    if (data < 0 || hole < 0) return copy_range(from, to, at, size, shown);
    copy_range(from, to, data, std::min(hole, size), shown);
    at = hole;
  }
}

}  // namespace runner
