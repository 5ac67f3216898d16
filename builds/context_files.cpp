#include "builds/context_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::builds {
namespace {

constexpr std::size_t kDeepest = 256;  // each level holds a descriptor
constexpr std::uint64_t kLargestText = 4U << 20U;

int open_beneath(int at, const std::string& path, int flags) {
  open_how how{};
  how.flags = static_cast<std::uint64_t>(static_cast<unsigned>(flags)) | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  for (;;) {
    const long fd = ::syscall(SYS_openat2, at, path.c_str(), &how, sizeof how);
    // The kernel gives up when something is renamed at that moment.
    if (fd >= 0 || (errno != EAGAIN && errno != EINTR)) return static_cast<int>(fd);
  }
}

class Walk {
 public:
  Walk(const IgnoreRules& rules, const std::function<void(const ContextEntry&)>& take, std::stop_token stop)
      : rules_(rules), take_(take), stop_(std::move(stop)) {}

  void directory(UniqueFd fd, const std::string& path, const IgnoreRules::Matches& matches) {
    if (open_.size() > kDeepest)
      throw Error(ErrorCode::invalid_input, "the context is nested deeper than 256 directories at " +
                                                in_quotes(to_utf8(path.substr(0, 200))));
    for (const std::string& name : names_in(fd.get(), path)) {
      if (stop_.stop_requested()) throw Error(ErrorCode::cancelled, "cancelled");
      entry(fd.get(), name, path.empty() ? name : path + '/' + name, matches);
    }
  }

 private:
  struct Pending {
    ContextEntry entry;
    bool told = false;
  };

  [[noreturn]] static void refuse(const std::string& path, int error) {
    throw Error(ErrorCode::invalid_input, "cannot read " + in_quotes(to_utf8(path)) +
                                              " of the context: " + std::strerror(error) +
                                              "; mend it, or leave it out by .dockerignore");
  }

  static std::vector<std::string> names_in(int fd, const std::string& path) {
    UniqueFd own(::fcntl(fd, F_DUPFD_CLOEXEC, 0));
    if (!own) refuse(path, errno);
    const auto close_it = [](DIR* dir) { ::closedir(dir); };
    const std::unique_ptr<DIR, decltype(close_it)> dir(::fdopendir(own.get()), close_it);
    if (!dir) refuse(path, errno);
    static_cast<void>(own.release());
    std::vector<std::string> names;
    for (;;) {
      errno = 0;
      const dirent* found = ::readdir(dir.get());
      if (found == nullptr) {
        if (errno != 0) refuse(path, errno);
        break;
      }
      const std::string_view name = found->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  void entry(int at, const std::string& name, const std::string& path, const IgnoreRules::Matches& above) {
    IgnoreRules::Matches matches;
    if (!rules_.empty()) matches = rules_.match(path, above);
    const bool ignored = !rules_.empty() && rules_.ignores(matches);
    if (ignored && !rules_.has_exceptions()) return;
    struct stat facts {};
    if (::fstatat(at, name.c_str(), &facts, AT_SYMLINK_NOFOLLOW) != 0) refuse(path, errno);
    ContextEntry found;
    found.path = path;
    found.mode = facts.st_mode & 07777U;
    if (S_ISDIR(facts.st_mode)) {
      found.kind = ContextEntry::Kind::directory;
      below(at, name, std::move(found), ignored, matches);
    } else if (!ignored && S_ISREG(facts.st_mode)) {
      file(at, name, std::move(found));
    } else if (!ignored && S_ISLNK(facts.st_mode)) {
      link(at, name, std::move(found));
    }
  }

  // A directory that is ignored is told all the same once something below it is not.
  void below(int at, const std::string& name, ContextEntry found, bool ignored,
             const IgnoreRules::Matches& matches) {
    UniqueFd fd(::openat(at, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd) {
      if (ignored) return;
      refuse(found.path, errno);
    }
    const std::string path = found.path;
    open_.push_back({std::move(found), false});
    if (!ignored) tell_directories();
    directory(std::move(fd), path, matches);
    open_.pop_back();
  }

  void file(int at, const std::string& name, ContextEntry found) {
    const UniqueFd fd(::openat(at, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    struct stat facts {};
    if (!fd || ::fstat(fd.get(), &facts) != 0) refuse(found.path, errno);
    if (!S_ISREG(facts.st_mode)) return;  // it was replaced
    found.fd = fd.get();
    found.size = static_cast<std::uint64_t>(facts.st_size);
    tell(found);
  }

  void link(int at, const std::string& name, ContextEntry found) {
    std::array<char, PATH_MAX> target{};
    const ssize_t size = ::readlinkat(at, name.c_str(), target.data(), target.size());
    if (size < 0) refuse(found.path, errno);
    found.kind = ContextEntry::Kind::link;
    found.target.assign(target.data(), static_cast<std::size_t>(size));
    tell(found);
  }

  void tell(const ContextEntry& found) {
    tell_directories();
    take_(found);
  }

  void tell_directories() {
    for (Pending& each : open_) {
      if (!each.told) take_(each.entry);
      each.told = true;
    }
  }

  const IgnoreRules& rules_;
  const std::function<void(const ContextEntry&)>& take_;
  std::stop_token stop_;
  std::vector<Pending> open_;
};

}  // namespace

UniqueFd open_below(int workspace, const std::string& path, int flags, std::string_view what) {
  UniqueFd fd(open_beneath(workspace, path.empty() ? "." : path, flags));
  if (fd) return fd;
  const int error = errno;
  const std::string name = "the " + std::string(what) + " " + in_quotes(to_utf8(path));
  if (error == EXDEV) throw Error(ErrorCode::invalid_input, name + " leads out of the workspace");
  if (error == ENOENT || error == ENOTDIR)
    throw Error(ErrorCode::invalid_input,
                "there is no " + std::string(what) + " " + in_quotes(to_utf8(path)) + " in the workspace");
  throw Error(ErrorCode::invalid_input, name + " cannot be opened: " + std::strerror(error));
}

std::optional<std::string> read_below(int workspace, const std::string& path, std::string_view what) {
  const UniqueFd fd(open_beneath(workspace, path, O_RDONLY | O_NONBLOCK));
  if (!fd && (errno == ENOENT || errno == ENOTDIR)) return std::nullopt;
  const UniqueFd again = fd ? UniqueFd() : open_below(workspace, path, O_RDONLY | O_NONBLOCK, what);
  const int from = fd ? fd.get() : again.get();
  const std::string name = "the " + std::string(what) + " " + in_quotes(to_utf8(path));
  struct stat facts {};
  if (::fstat(from, &facts) != 0 || !S_ISREG(facts.st_mode))
    throw Error(ErrorCode::invalid_input, name + " is no file");
  std::string text;
  std::array<char, 16384> buffer{};
  for (;;) {
    const ssize_t got = ::read(from, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_errno("cannot read " + name);
    if (got == 0) return text;
    text.append(buffer.data(), static_cast<std::size_t>(got));
    if (text.size() > kLargestText)
      throw Error(ErrorCode::invalid_input, name + " is larger than " + format_bytes(kLargestText));
  }
}

void walk_context(int context, const IgnoreRules& rules, const std::function<void(const ContextEntry&)>& take,
                  const std::stop_token& stop) {
  UniqueFd top(::openat(context, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!top) throw_errno("cannot open the context");
  Walk(rules, take, stop).directory(std::move(top), "", {});
}

}  // namespace runner::builds
