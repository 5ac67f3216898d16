#include "runner/base/log_file.h"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "runner/base/error.h"
#include "runner/base/fd.h"
#include "runner/base/files.h"
#include "runner/base/text.h"

namespace runner {
namespace {

namespace fs = std::filesystem;
using std::chrono::system_clock;

constexpr std::string_view kPressed = ".zst", kPart = ".part", kFresh = ".new";
constexpr std::string_view kStampForm = "00000000T000000.000Z";

std::string stamp_of(system_clock::time_point time) {
  const auto whole = std::chrono::floor<std::chrono::seconds>(time);
  const auto part = std::chrono::duration_cast<std::chrono::milliseconds>(time - whole).count();
  return fmt::format("{:%Y%m%dT%H%M%S}.{:03}Z", fmt::gmtime(system_clock::to_time_t(whole)), part);
}

bool is_stamp(std::string_view text) {
  if (text.size() < kStampForm.size()) return false;
  for (std::size_t i = 0; i < kStampForm.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if (kStampForm[i] == '0' ? !digit : text[i] != kStampForm[i]) return false;
  }
  return true;
}

UniqueFd open_log(const fs::path& path) {
  return UniqueFd(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640));
}

std::uint64_t size_of(const UniqueFd& file) {
  struct stat info {};
  return ::fstat(file.get(), &info) == 0 ? static_cast<std::uint64_t>(info.st_size) : 0;
}

void sync_directory(const fs::path& directory) {
  const UniqueFd opened(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened || ::fsync(opened.get()) != 0) throw_errno("cannot sync " + in_quotes(directory.native()));
}

/// `from` pressed into `to`, on the disk. Throws Error.
void press(const fs::path& from, const fs::path& to) {
  const UniqueFd in(::open(from.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!in) throw_errno("cannot open " + in_quotes(from.native()));
  const UniqueFd out(::open(to.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640));
  if (!out) throw_errno("cannot make " + in_quotes(to.native()));
  const std::unique_ptr<ZSTD_CStream, decltype(&ZSTD_freeCStream)> stream(ZSTD_createCStream(),
                                                                          &ZSTD_freeCStream);
  if (stream == nullptr) throw Error(ErrorCode::unavailable, "no memory to press a log");
  std::vector<char> plain(ZSTD_CStreamInSize()), pressed(ZSTD_CStreamOutSize());
  for (bool more = true; more;) {
    const ssize_t count = ::read(in.get(), plain.data(), plain.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_errno("cannot read " + in_quotes(from.native()));
    more = count > 0;
    ZSTD_inBuffer input{plain.data(), static_cast<std::size_t>(count), 0};
    for (bool again = true; again;) {
      ZSTD_outBuffer output{pressed.data(), pressed.size(), 0};
      const std::size_t left =
          ZSTD_compressStream2(stream.get(), &output, &input, more ? ZSTD_e_continue : ZSTD_e_end);
      if (ZSTD_isError(left) != 0U) throw Error(ErrorCode::internal, ZSTD_getErrorName(left));
      write_all(out.get(), {pressed.data(), output.pos});
      again = more ? input.pos < input.size : left > 0;
    }
  }
  if (::fsync(out.get()) != 0) throw_errno("cannot write " + in_quotes(to.native()));
}

}  // namespace

struct LogFile::Impl {
  explicit Impl(LogFileOptions given) : options(std::move(given)) {
    directory = options.path.has_parent_path() ? options.path.parent_path() : fs::path(".");
    make_directories(directory, 0750);
    file = open_log(options.path);
    if (!file) throw_errno("cannot open the log " + in_quotes(options.path.native()));
    bytes = size_of(file);
    opened_at = system_clock::now();
    presser = std::thread([this] { press_all(); });
  }

  ~Impl() {
    {
      const std::lock_guard lock(mutex);
      over = true;
    }
    woken.notify_all();
    presser.join();
  }

  bool write(std::string_view line) {
    const std::lock_guard lock(mutex);
    const bool old = options.every.count() > 0 && system_clock::now() - opened_at >= options.every;
    if (bytes > 0 && (old || bytes + line.size() > options.max_bytes)) put_aside();
    std::string_view left = line;
    while (!left.empty()) {
      const ssize_t count = ::write(file.get(), left.data(), left.size());
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) {
        // A part of a line is no line.
        if (left.size() < line.size() && ::ftruncate(file.get(), static_cast<off_t>(bytes)) != 0)
          return false;
        return false;
      }
      left.remove_prefix(static_cast<std::size_t>(count));
    }
    bytes += line.size();
    return true;
  }

  bool reopen() {
    const std::lock_guard lock(mutex);
    UniqueFd next = open_log(options.path);
    if (!next) return false;
    begin(std::move(next));
    return true;
  }

  void begin(UniqueFd next) {
    file = std::move(next);
    bytes = size_of(file);
    opened_at = system_clock::now();
  }

  /// When that cannot be, lines go on where they went.
  void put_aside() {
    // Names sort by age, also when several are put aside in a millisecond.
    system_clock::time_point time = std::max(system_clock::now(), last_aside + std::chrono::milliseconds(1));
    fs::path aside;
    std::error_code error;
    do {
      aside = options.path.native() + "-" + stamp_of(time);
      last_aside = time;
      time += std::chrono::milliseconds(1);
    } while (fs::exists(fs::symlink_status(aside, error)) ||
             fs::exists(fs::symlink_status(aside.native() + std::string(kPressed), error)));
    // The new one first, and under another name: what is put aside is written to no more.
    const fs::path fresh = options.path.native() + std::string(kFresh);
    UniqueFd next(
        ::open(fresh.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640));
    if (!next) return;
    if (::rename(options.path.c_str(), aside.c_str()) != 0 ||
        ::rename(fresh.c_str(), options.path.c_str()) != 0) {
      ::unlink(fresh.c_str());
      return;
    }
    begin(std::move(next));
    ++rotations;
    work = true;
    woken.notify_all();
  }

  // ---- the presser's thread

  struct Aside {
    fs::path path;
    bool pressed = false;
    std::uint64_t bytes = 0;
  };

  /// Oldest first.
  std::vector<Aside> asides() const {
    const std::string prefix = options.path.filename().native() + "-";
    std::vector<Aside> found;
    for (const fs::directory_entry& entry : fs::directory_iterator(directory)) {
      const std::string name = entry.path().filename().native();
      std::error_code error;
      if (!name.starts_with(prefix) || !is_stamp(std::string_view(name).substr(prefix.size()))) continue;
      if (name.ends_with(kPart)) {
        fs::remove(entry.path(), error);
        continue;
      }
      const std::uint64_t size = entry.file_size(error);
      found.push_back({entry.path(), name.ends_with(kPressed), error ? 0 : size});
    }
    std::sort(found.begin(), found.end(),
              [](const Aside& a, const Aside& b) { return a.path.native() < b.path.native(); });
    return found;
  }

  void press_all() {
    std::unique_lock lock(mutex);
    while (true) {
      work = false;
      lock.unlock();
      try {
        press_and_prune();
      } catch (const std::exception&) {
        // A full disk: it stays as it is and is pressed with the next one.
      }
      lock.lock();
      woken.wait(lock, [this] { return over || work; });
      if (over && !work) return;
    }
  }

  void press_and_prune() const {
    for (const Aside& aside : asides()) {
      if (aside.pressed) continue;
      const fs::path done = aside.path.native() + std::string(kPressed);
      if (!fs::exists(done)) {
        const fs::path part = done.native() + std::string(kPart);
        press(aside.path, part);
        fs::rename(part, done);
        sync_directory(directory);
      }
      fs::remove(aside.path);
    }
    const std::vector<Aside> left = asides();
    std::uint64_t total = 0;
    for (std::size_t i = left.size(); i-- > 0;) {
      total += left[i].bytes;
      if (left.size() - i > options.keep || total > options.max_total_bytes) fs::remove(left[i].path);
    }
  }

  const LogFileOptions options;
  fs::path directory;
  std::atomic<std::uint64_t> rotations{0};
  std::mutex mutex;  // of what follows
  std::condition_variable woken;
  UniqueFd file;
  std::uint64_t bytes = 0;
  system_clock::time_point opened_at, last_aside;
  bool work = false, over = false;
  std::thread presser;
};

LogFile::LogFile(LogFileOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}

LogFile::~LogFile() = default;

bool LogFile::write(std::string_view line) noexcept {
  try {
    return impl_->write(line);
  } catch (...) {
    return false;
  }
}

bool LogFile::reopen() noexcept {
  try {
    return impl_->reopen();
  } catch (...) {
    return false;
  }
}

std::uint64_t LogFile::rotations() const noexcept {
  return impl_->rotations;
}

}  // namespace runner
