#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <utility>

#include "cache/transfer.h"
#include "runner/base/copy_content.h"
#include "runner/base/error.h"
#include "runner/base/failpoint.h"
#include "runner/base/fd.h"
#include "runner/base/files.h"
#include "runner/base/text.h"

namespace runner::cache {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kIncoming = ".incoming-";
// What is older than this was left by a process that is gone.
constexpr std::time_t kIncomingSeconds = 24L * 3600;

bool is_part(std::string_view part) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_";
  return !part.empty() && part.front() != '.' && part.find_first_not_of(kAllowed) == std::string_view::npos;
}

void sync_directory(const fs::path& directory) {
  const UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) throw_errno("cannot write directory " + in_quotes(directory.native()));
}

UniqueFd open_file(const fs::path& file) {
  UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) throw_errno("cannot open " + in_quotes(file.native()));
  return fd;
}

void copy(const fs::path& from, int to) {
  const UniqueFd source = open_file(from);
  struct stat info {};
  if (::fstat(source.get(), &info) != 0) throw_errno("cannot read " + in_quotes(from.native()));
  if (!S_ISREG(info.st_mode)) throw Error(ErrorCode::invalid_input, in_quotes(from.native()) + " is no file");
  copy_content(source.get(), to, info.st_size, from);
}

class DirectoryBlobs final : public BlobStore {
 public:
  explicit DirectoryBlobs(fs::path root) : root_(std::move(root)) {}

  bool has(const std::string& name) override {
    struct stat info {};
    return ::stat(path_of(name).c_str(), &info) == 0 && S_ISREG(info.st_mode);
  }

  void put(const std::string& name, const fs::path& file) override {
    const fs::path to = path_of(name);
    make_directories(to.parent_path());
    if (::fdatasync(open_file(file).get()) != 0) throw_errno("cannot write " + in_quotes(file.native()));
    failpoint("transfer.blob_synced");
    if (::rename(file.c_str(), to.c_str()) != 0) {
      if (errno != EXDEV) throw_errno("cannot write " + in_quotes(to.native()));
      put_copy(file, to);
    }
    failpoint("transfer.blob_renamed");
    sync_directory(to.parent_path());
  }

  bool get(const std::string& name, const fs::path& file) override {
    if (!has(name)) return false;
    const UniqueFd to(::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!to) throw_errno("cannot write " + in_quotes(file.native()));
    copy(path_of(name), to.get());
    return true;
  }

  std::vector<std::string> list(const std::string& folder) override {
    if (!is_part(folder)) refuse(folder);
    std::vector<std::string> names;
    std::error_code error;
    for (fs::directory_iterator at(root_ / folder, error), end; !error && at != end; at.increment(error)) {
      const std::string name = at->path().filename().native();
      if (is_part(name)) names.push_back(folder + "/" + name);
    }
    if (error && error != std::errc::no_such_file_or_directory)
      throw Error(error, "cannot read directory " + in_quotes((root_ / folder).native()));
    std::ranges::sort(names);
    return names;
  }

 private:
  [[noreturn]] static void refuse(const std::string& name) {
    throw Error(ErrorCode::invalid_input, in_quotes(name) + " is no name of a stored file");
  }

  fs::path path_of(const std::string& name) const {
    const auto parts = split(name, '/');
    if (parts.size() != 2 || !std::ranges::all_of(parts, is_part)) refuse(name);
    return root_ / name;
  }

  static void put_copy(const fs::path& file, const fs::path& to) {
    remove_left_behind(to.parent_path());
    std::string incoming = (to.parent_path() / (std::string(kIncoming) + "XXXXXX")).native();
    const UniqueFd out(::mkostemp(incoming.data(), O_CLOEXEC));
    if (!out) throw_errno("cannot write " + in_quotes(to.native()));
    try {
      copy(file, out.get());
      if (::fchmod(out.get(), 0644) != 0 || ::fdatasync(out.get()) != 0)
        throw_errno("cannot write " + in_quotes(to.native()));
      failpoint("transfer.blob_copied");
      if (::rename(incoming.c_str(), to.c_str()) != 0) throw_errno("cannot write " + in_quotes(to.native()));
    } catch (...) {
      ::unlink(incoming.c_str());
      throw;
    }
  }

  static void remove_left_behind(const fs::path& directory) {
    std::error_code error;
    for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
      struct stat info {};
      if (at->path().filename().native().starts_with(kIncoming) && ::lstat(at->path().c_str(), &info) == 0 &&
          info.st_mtim.tv_sec < std::time(nullptr) - kIncomingSeconds)
        ::unlink(at->path().c_str());
    }
  }

  fs::path root_;
};

}  // namespace

std::unique_ptr<BlobStore> make_directory_blobs(fs::path directory) {
  return std::make_unique<DirectoryBlobs>(std::move(directory));
}

}  // namespace runner::cache
