#include "cache/copy_crew.h"

#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

#include "runner/base/copy_content.h"
#include "runner/base/error.h"
#include "runner/base/fd.h"
#include "runner/base/log.h"
#include "runner/base/text.h"

namespace runner::cache {
namespace fs = std::filesystem;
namespace {

// Large enough that helpers seldom meet in one directory, small enough that all end at the same time.
constexpr std::size_t kBatch = 64;
constexpr std::size_t kMostWaiting = 32;

bool is_ours(std::string_view name) {
  return name.starts_with("user.") && !name.starts_with("user.overlay.");
}

bool has_no_attributes(int error) {
  return error == ENOTSUP || error == ENODATA;
}

std::string attribute_names(int fd, const fs::path& shown) {
  std::string names(256, '\0');
  for (;;) {
    const auto size = ::flistxattr(fd, names.data(), names.size());
    if (size >= 0) {
      names.resize(static_cast<std::size_t>(size));
      return names;
    }
    if (has_no_attributes(errno)) return {};
    if (errno != ERANGE) throw_errno("cannot read the attributes of " + in_quotes(shown.native()));
    names.resize(names.size() * 16);
  }
}

void copy_attributes(int from, int to, const fs::path& shown) {
  const std::string names = attribute_names(from, shown);
  std::string value;
  for (std::size_t at = 0; at < names.size(); at += std::string_view(names.data() + at).size() + 1) {
    const char* name = names.data() + at;
    if (!is_ours(name)) continue;
    value.resize(XATTR_SIZE_MAX);
    const auto size = ::fgetxattr(from, name, value.data(), value.size());
    if (size < 0 && errno == ENODATA) continue;
    if (size < 0)
      throw_errno("cannot read attribute '" + std::string(name) + "' of " + in_quotes(shown.native()));
    if (::fsetxattr(to, name, value.data(), static_cast<std::size_t>(size), 0) == 0) continue;
    // The file system of the copies has none: then nobody there can ask for them either.
    if (errno == ENOTSUP) return;
    throw_errno("cannot keep attribute '" + std::string(name) + "' of " + in_quotes(shown.native()));
  }
}

/// Whether no file of this file system can be cloned to there.
bool refuses_all(int error) {
  return error == EOPNOTSUPP || error == ENOTTY || error == EXDEV || error == ENOSYS || error == EPERM;
}

void fill(int from, int to, const FileCopy& file, CloneMemory& memory) {
  if (file.info.st_size == 0) return;
  if (memory.may_clone(file.info.st_dev)) {
    if (clone_content(from, to)) return;
    if (refuses_all(errno)) memory.refuse(file.info.st_dev);
  }
  copy_content(from, to, file.info.st_size, file.from);
}

}  // namespace

bool CloneMemory::may_clone(dev_t device) const noexcept {
  return std::find(refused_.begin(), refused_.end(), device) == refused_.end();
}

void copy_attributes(const fs::path& from, const fs::path& to) {
  const UniqueFd source(::open(from.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!source) {
    if (errno == EACCES || errno == EPERM) return;
    throw_errno("cannot open " + in_quotes(from.native()));
  }
  const UniqueFd target(::open(to.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!target) throw_errno("cannot open " + in_quotes(to.native()));
  copy_attributes(source.get(), target.get(), from);
}

void copy_file(const FileCopy& file, CloneMemory& memory) {
  const UniqueFd target(::open(file.to.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!target) throw_errno("cannot make " + in_quotes(file.to.native()));
  const UniqueFd source(::open(file.from.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (source) {
    fill(source.get(), target.get(), file, memory);
    copy_attributes(source.get(), target.get(), file.from);
  } else if (errno == EACCES || errno == EPERM) {
    // A job would see the name and be refused the content; so does the copy, which keeps the mode.
    log_warn("cache", "cannot read " + in_quotes(file.from) + ": its copy is empty");
  } else {
    throw_errno("cannot open " + in_quotes(file.from));
  }
  // Only root can give files away; anybody else's copy is their own.
  const bool foreign = file.info.st_uid != 0 || file.info.st_gid != 0;
  if (foreign && ::geteuid() == 0 && ::fchown(target.get(), file.info.st_uid, file.info.st_gid) != 0)
    throw_errno("cannot set the owner of " + in_quotes(file.to.native()));
  if (::fchmod(target.get(), file.info.st_mode & 07777U) != 0)
    throw_errno("cannot set the mode of " + in_quotes(file.to.native()));
  const std::array<timespec, 2> times{file.info.st_atim, file.info.st_mtim};
  if (::futimens(target.get(), times.data()) != 0)
    throw_errno("cannot set the time of " + in_quotes(file.to.native()));
}

CopyCrew::~CopyCrew() {
  stop();
}

void CopyCrew::add(FileCopy file) {
  if (helpers_wanted_ == 0) return copy_file(file, memory_);
  filling_.push_back(std::move(file));
  if (filling_.size() == kBatch) hand_over(std::exchange(filling_, {}));
}

void CopyCrew::hand_over(Batch batch) {
  {
    const std::lock_guard lock(mutex_);
    if (failure_) std::rethrow_exception(failure_);
    if (waiting_.size() < kMostWaiting) {
      waiting_.push_back(std::move(batch));
      batch.clear();
    }
  }
  if (!batch.empty()) return copy(batch, memory_);
  changed_.notify_one();
  if (helpers_.size() < helpers_wanted_) helpers_.emplace_back([this] { help(); });
}

void CopyCrew::copy(const Batch& batch, CloneMemory& memory) const {
  for (const FileCopy& file : batch) copy_file(file, memory);
}

void CopyCrew::help() {
  CloneMemory memory;
  std::unique_lock lock(mutex_);
  for (;;) {
    changed_.wait(lock, [this] { return closed_ || failure_ || !waiting_.empty(); });
    if (failure_ || waiting_.empty()) return;
    const Batch batch = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    std::exception_ptr failure;
    try {
      copy(batch, memory);
    } catch (...) {
      failure = std::current_exception();
    }
    lock.lock();
    if (failure && !failure_) failure_ = failure;
  }
}

void CopyCrew::finish() {
  const Batch last = std::exchange(filling_, {});
  copy(last, memory_);
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  changed_.notify_all();
  for (;;) {
    std::unique_lock lock(mutex_);
    if (failure_ || waiting_.empty()) break;
    const Batch batch = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    copy(batch, memory_);
  }
  for (std::thread& helper : helpers_) helper.join();
  helpers_.clear();
  if (failure_) std::rethrow_exception(failure_);
}

void CopyCrew::stop() noexcept {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    waiting_.clear();
  }
  changed_.notify_all();
  for (std::thread& helper : helpers_) helper.join();
  helpers_.clear();
}

}  // namespace runner::cache
