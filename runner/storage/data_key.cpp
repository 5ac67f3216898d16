#include "runner/storage/data_key.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <string>

#include "runner/base/error.h"
#include "runner/base/failpoint.h"
#include "runner/base/fd.h"
#include "runner/base/files.h"
#include "runner/base/text.h"
#include "runner/storage/sealer.h"

namespace runner::storage {
namespace fs = std::filesystem;
namespace {

std::string shown(const fs::path& path) {
  return "the data key " + in_quotes(path.native());
}

void check_guarded(const fs::path& path, const struct stat& info) {
  const std::string name = shown(path);
  if (!S_ISREG(info.st_mode)) throw Error(ErrorCode::invalid_input, name + " is not a regular file");
  if (info.st_uid != ::geteuid() && info.st_uid != 0) {
    throw Error(ErrorCode::invalid_input, name + " belongs to user " + std::to_string(info.st_uid) +
                                              ", who could read it: chown it to " +
                                              std::to_string(::geteuid()));
  }
  if ((info.st_mode & 077U) != 0) {
    throw Error(ErrorCode::invalid_input,
                name + " may be used by others than its owner: chmod 600 " + shell_quote(path.native()) +
                    ", and if one of them is not to be trusted, change the secrets");
  }
  if (info.st_size != static_cast<off_t>(kDataKeySize)) {
    throw Error(ErrorCode::invalid_input, name + " has " + std::to_string(info.st_size) +
                                              " bytes instead of " + std::to_string(kDataKeySize) +
                                              ": put the right file there, from where it was kept");
  }
}

void sync_directory(const fs::path& path) {
  const UniqueFd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory || ::fsync(directory.get()) != 0) {
    throw_errno("cannot sync directory " + in_quotes(path.native()));
  }
}

/// Gives the file its name, and takes the name from nobody who was faster.
int name_it(const std::string& from, const std::string& to) noexcept {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return errno;
  // File systems that cannot do that can link.
  if (::link(from.c_str(), to.c_str()) != 0) return errno;
  ::unlink(from.c_str());
  return 0;
}

std::string random_suffix() {
  std::array<char, 8> bytes{};
  fill_random(bytes);
  std::string text;
  for (const char byte : bytes) text += static_cast<char>('a' + (static_cast<unsigned char>(byte) & 15U));
  return text;
}

}  // namespace

Secret read_data_key(const fs::path& path) {
  // Not stopped by a FIFO: it is refused below.
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) {
    if (errno == ENOENT) {
      throw Error(ErrorCode::not_found,
                  shown(path) +
                      " is not there: put it back from where it was kept; without it no secret of "
                      "this server can be read");
    }
    throw_errno("cannot open " + shown(path));
  }
  struct stat info {};
  if (::fstat(file.get(), &info) != 0) throw_errno("cannot read " + shown(path));
  check_guarded(path, info);
  Secret key(kDataKeySize);
  std::span<char> rest = key.bytes();
  while (!rest.empty()) {
    const auto got = ::read(file.get(), rest.data(), rest.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_errno("cannot read " + shown(path));
    if (got == 0) throw Error(ErrorCode::invalid_input, shown(path) + " was cut short while it was read");
    rest = rest.subspan(static_cast<std::size_t>(got));
  }
  return key;
}

Secret make_data_key(const fs::path& path) {
  Secret key(kDataKeySize);
  fill_random(key.bytes());
  const std::string temporary = path.string() + ".new-" + random_suffix();
  UniqueFd file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) throw_errno("cannot make " + shown(path));
  try {
    // A umask may have taken more than it should.
    if (::fchmod(file.get(), 0600) != 0) throw_errno("cannot set the mode");
    write_all(file.get(), key.text());
    if (::fsync(file.get()) != 0) throw_errno("cannot sync");
    failpoint("data_key.synced");
    const int error = name_it(temporary, path.string());
    if (error == EEXIST) throw Error(ErrorCode::conflict, "there is one already");
    if (error != 0) throw_errno(error, "cannot rename");
  } catch (Error& error) {
    ::unlink(temporary.c_str());
    error.add_context("cannot make " + shown(path));
    throw;
  }
  failpoint("data_key.named");
  sync_directory(path.has_parent_path() ? path.parent_path() : fs::path("."));
  return key;
}

Secret read_or_make_data_key(const fs::path& path) {
  try {
    return read_data_key(path);
  } catch (const Error& e) {
    if (e.code() != ErrorCode::not_found) throw;
  }
  try {
    return make_data_key(path);
  } catch (const Error& e) {
    if (e.code() != ErrorCode::conflict) throw;
  }
  return read_data_key(path);
}

}  // namespace runner::storage
