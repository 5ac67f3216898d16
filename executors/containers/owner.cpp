#include "executors/containers/owner.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>

#include "executors/step_place.h"
#include "runner/base/error.h"
#include "runner/base/fd.h"
#include "runner/base/files.h"
#include "runner/base/text.h"

namespace runner::executors {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kOwnerBytes = 32;

}  // namespace

std::string container_owner(const fs::path& directory) {
  make_directories(directory, 0700);
  const fs::path file = directory / ".owner";
  for (;;) {
    if (const auto text = read_file(file)) {
      std::string owner(trim(*text));
      if (owner.size() == kOwnerBytes) return owner;
      throw Error(ErrorCode::corrupt, in_quotes(file.native()) +
                                          " is damaged; remove it, and containers that "
                                          "were left under its word stay");
    }
    // Whole under a name of its own, then linked: the first one wins, and nobody sees a part of it.
    const std::string word = random_cookie().substr(0, kOwnerBytes);
    const fs::path own = directory / (".owner." + word);
    write_file_atomic(own, word + "\n", 0600, false);
    const int failed = ::link(own.c_str(), file.c_str()) == 0 ? 0 : errno;
    remove_tree(own);
    if (failed != 0 && failed != EEXIST) throw_errno(failed, "cannot make " + in_quotes(file.native()));
  }
}

std::string own_program() {
  std::array<char, 4096> buffer{};
  const ssize_t size = ::readlink("/proc/self/exe", buffer.data(), buffer.size());
  if (size <= 0 || static_cast<std::size_t>(size) == buffer.size())
    throw_errno("cannot tell where this program is");
  std::string path(buffer.data(), static_cast<std::size_t>(size));
  constexpr std::string_view kReplaced = " (deleted)";
  if (path.ends_with(kReplaced)) path.resize(path.size() - kReplaced.size());
  return path;
}

}  // namespace runner::executors
