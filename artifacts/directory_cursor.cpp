#include "artifacts/directory_cursor.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::artifacts {
namespace {

constexpr int kDirectoryFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

}  // namespace

DirectoryCursor::DirectoryCursor(const std::filesystem::path& root, Missing missing)
    : shown_(root.string()),
      missing_(missing),
      root_(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  if (!root_) throw_errno("cannot open directory '" + shown_ + "'");
}

int DirectoryCursor::at(std::string_view path) {
  if (path.empty()) return root_.get();
  if (current_ && path == current_path_) return current_.get();
  // From the open directory when it lies above, else from the root.
  const bool below = current_ && path.size() > current_path_.size() && path[current_path_.size()] == '/' &&
                     path.substr(0, current_path_.size()) == current_path_;
  int parent = below ? current_.get() : root_.get();
  UniqueFd reached;
  for (const std::string_view part : split(below ? path.substr(current_path_.size() + 1) : path, '/')) {
    reached = open_part(parent, std::string(part), path);
    parent = reached.get();
  }
  current_ = std::move(reached);
  current_path_ = path;
  return current_.get();
}

UniqueFd DirectoryCursor::open_part(int parent, const std::string& name, std::string_view path) const {
  UniqueFd fd(::openat(parent, name.c_str(), kDirectoryFlags));
  if (!fd && errno == ENOENT && missing_ == Missing::make) {
    if (::mkdirat(parent, name.c_str(), 0755) != 0) {
      throw_errno("cannot make directory '" + std::string(path) + "'");
    }
    fd.reset(::openat(parent, name.c_str(), kDirectoryFlags));
    // Whatever the umask is.
    if (fd && ::fchmod(fd.get(), 0755) != 0)
      throw_errno("cannot set the mode of '" + std::string(path) + "'");
  }
  if (!fd) throw_errno("cannot open directory '" + shown_ + "/" + std::string(path) + "'");
  return fd;
}

std::pair<std::string_view, std::string> split_name(std::string_view path) {
  const auto slash = path.rfind('/');
  if (slash == std::string_view::npos) return {std::string_view(), std::string(path)};
  return {path.substr(0, slash), std::string(path.substr(slash + 1))};
}

}  // namespace runner::artifacts
