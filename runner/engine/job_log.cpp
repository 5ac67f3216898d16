#include "runner/engine/job_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <exception>
#include <thread>
#include <utility>

#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/text.h"

namespace runner::engine {
namespace {

constexpr std::size_t kBuffer = 64U << 10U;
constexpr std::chrono::milliseconds kBetweenTries{200};
constexpr std::uint64_t kIndexEvery = 1000;
constexpr std::size_t kCountBlock = 128;
constexpr int kOpenFlags = O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC;

UniqueFd open_for_append(const std::filesystem::path& path) {
  UniqueFd file(::open(path.c_str(), kOpenFlags, 0640));
  if (!file) throw_errno("cannot open log '" + path.string() + "'");
  return file;
}

bool may_pass(int error) {
  return error == ENOSPC || error == EDQUOT || error == EROFS;
}

/// Of at most kCountBlock bytes.
std::uint64_t count_lines(std::string_view block) {
  // Adds up in bytes and over a constant length: the compiler makes a handful of vector instructions of it.
  const auto count = [](const char* bytes, std::size_t size) {
    std::uint8_t lines = 0;
    for (std::size_t i = 0; i < size; ++i) lines = static_cast<std::uint8_t>(lines + (bytes[i] == '\n'));
    return lines;
  };
  return block.size() == kCountBlock ? count(block.data(), kCountBlock) : count(block.data(), block.size());
}

}  // namespace

JobLog::JobLog(JobLogSpec spec, const Clock& clock)
    : spec_(std::move(spec)), clock_(clock), file_(open_for_append(spec_.path)), masker_({}) {}

void JobLog::mask(const std::vector<std::string>& secrets) {
  const std::lock_guard lock(mutex_);
  masker_.finish(buffer_);
  masker_ = Masker(secrets);
}

void JobLog::write(executors::Stream, std::span<const std::byte> bytes) noexcept {
  const std::lock_guard lock(mutex_);
  append({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, false);
  flush();
}

void JobLog::line(std::string_view text) noexcept {
  const std::lock_guard lock(mutex_);
  append(text, true);
  append("\n", false);
}

void JobLog::warning(std::string_view text) noexcept {
  line("\x1b[0;33mWARNING: " + std::string(text) + "\x1b[0;m");
}

void JobLog::begin_section(std::string_view name, std::string_view header) noexcept {
  const std::lock_guard lock(mutex_);
  append(section_mark("section_start", name) + "\x1b[36;1m" + std::string(header) + "\x1b[0;m\n", true);
  flush();
}

void JobLog::end_section(std::string_view name) noexcept {
  const std::lock_guard lock(mutex_);
  append(section_mark("section_end", name), true);
  // The mark ends with a return to the line's beginning: what comes next may share the line.
  at_line_start_ = true;
}

std::string JobLog::failure() {
  const std::lock_guard lock(mutex_);
  return failure_;
}

std::string JobLog::finish() noexcept {
  const std::lock_guard lock(mutex_);
  masker_.finish(buffer_);
  flush();
  file_.reset();
  index_.reset();
  return failure_;
}

std::string JobLog::section_mark(std::string_view kind, std::string_view name) const {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(clock_.now()).time_since_epoch().count();
  return "\x1b[0K" + std::string(kind) + ":" + std::to_string(seconds) + ":" + std::string(name) +
         "\r\x1b[0K";
}

void JobLog::append(std::string_view bytes, bool own_line) {
  if (bytes.empty()) return;
  if (own_line && !at_line_start_) masker_.feed("\n", buffer_);
  masker_.feed(bytes, buffer_);
  at_line_start_ = bytes.back() == '\n';
  if (buffer_.size() >= kBuffer) flush();
}

void JobLog::flush() {
  if (buffer_.empty()) return;
  if (!full_) {
    const std::uint64_t room = spec_.limit == 0 ? buffer_.size() : spec_.limit - stored_;
    if (buffer_.size() <= room) {
      store(buffer_);
    } else {
      store(std::string_view(buffer_).substr(0, static_cast<std::size_t>(room)));
      full_ = true;
      store("\n\x1b[0;33mThe log has reached its limit of " + format_bytes(spec_.limit) +
            "; the rest is left out.\x1b[0;m\n");
    }
  }
  buffer_.clear();
}

void JobLog::store(std::string_view bytes) {
  if (failure_.empty()) {
    try {
      put(file_.get(), bytes);
      index(bytes);
    } catch (const std::exception& e) {
      failure_ = "cannot write the log: " + std::string(e.what());
    }
  }
  stored_ += bytes.size();
  if (spec_.on_bytes) spec_.on_bytes(bytes);
}

/// Goes on where a disk that was full broke off.
void JobLog::put(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    const int error = errno;
    if (written >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(written));
    } else if (may_pass(error) && spec_.may_wait && spec_.may_wait()) {
      std::this_thread::sleep_for(kBetweenTries);
    } else if (error != EINTR) {
      throw_errno(error, "cannot write");
    }
  }
}

void JobLog::index(std::string_view bytes) {
  std::string entries;
  for (std::size_t at = 0; at < bytes.size(); at += kCountBlock) {
    const std::string_view block = bytes.substr(at, kCountBlock);
    const std::uint64_t found = count_lines(block);
    // Lines may be short and many: only a block that completes a thousand is looked at one by one.
    if (lines_ / kIndexEvery == (lines_ + found) / kIndexEvery) {
      lines_ += found;
      continue;
    }
    for (std::size_t end = block.find('\n'); end != std::string_view::npos; end = block.find('\n', end + 1)) {
      if (++lines_ % kIndexEvery != 0) continue;
      std::uint64_t offset = stored_ + at + end + 1;
      for (int i = 0; i < 8; ++i, offset >>= 8U) entries.push_back(static_cast<char>(offset & 0xffU));
    }
  }
  if (entries.empty()) return;
  if (!index_) index_ = open_for_append(spec_.path.string() + ".idx");
  put(index_.get(), entries);
}

}  // namespace runner::engine
