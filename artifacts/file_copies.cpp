#include "artifacts/file_copies.h"

#include <fcntl.h>
#include <unistd.h>

#include <climits>

#include "runner/base/copy_content.h"
#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::artifacts {

struct stat look_at(int directory, const std::string& name) {
  struct stat info {};
  if (::fstatat(directory, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) throw_errno("cannot look at it");
  return info;
}

std::string read_link(int directory, const std::string& name) {
  std::array<char, PATH_MAX> target{};
  const auto size = ::readlinkat(directory, name.c_str(), target.data(), target.size());
  if (size < 0) throw_errno("cannot read the link");
  return std::string(target.data(), static_cast<std::size_t>(size));
}

UniqueFd open_regular(int directory, const std::string& name, const std::string& shown, struct stat& info) {
  // O_NONBLOCK: a pipe that took the place of the file must not hold us up.
  UniqueFd in(::openat(directory, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!in) throw_errno("cannot open " + in_quotes(shown));
  if (::fstat(in.get(), &info) != 0) throw_errno("cannot look at it");
  if (!S_ISREG(info.st_mode)) throw Error(ErrorCode::conflict, "it changed meanwhile");
  return in;
}

void copy_regular(int in, const struct stat& info, int to, const std::string& name,
                  const std::string& shown) {
  const UniqueFd out(::openat(to, name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!out) throw_errno("cannot make the file");
  if (!clone_content(in, out.get())) copy_content(in, out.get(), info.st_size, shown);
  if (::fchmod(out.get(), info.st_mode & kModeBits) != 0) throw_errno("cannot set its mode");
  if (::futimens(out.get(), times_of(info).data()) != 0) throw_errno("cannot set its time");
}

void copy_symlink(int from, const std::string& source, int to, const std::string& name) {
  if (::symlinkat(read_link(from, source).c_str(), to, name.c_str()) != 0)
    throw_errno("cannot make the link");
  if (::utimensat(to, name.c_str(), times_of(look_at(from, source)).data(), AT_SYMLINK_NOFOLLOW) != 0) {
    throw_errno("cannot set its time");
  }
}

}  // namespace runner::artifacts
