#include "builds/context_tar.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>

#include "builds/context_files.h"
#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/text.h"

namespace runner::builds {
namespace {

constexpr std::size_t kBlock = 512, kPiece = 128U << 10U;
constexpr std::size_t kShortName = 100;
constexpr std::uint64_t kLargestOctal = (1ULL << 33U) - 1;

class Writer {
 public:
  Writer(int fd, std::int64_t time) : fd_(fd), time_(time), buffer_(std::make_unique<char[]>(kPiece)) {}

  void add(const ContextEntry& entry) {
    const bool directory = entry.kind == ContextEntry::Kind::directory;
    const char type = directory ? '5' : entry.kind == ContextEntry::Kind::link ? '2' : '0';
    head(directory ? entry.path + '/' : entry.path, entry.mode,
         entry.kind == ContextEntry::Kind::file ? entry.size : 0, type, entry.target);
    if (entry.kind == ContextEntry::Kind::file) content(entry);
  }

  void add(const AddedFile& file) {
    head(file.name, file.mode, file.content.size(), '0', "");
    write_all(fd_, file.content);
    pad(file.content.size());
  }

  void finish() const { write_all(fd_, std::string(2 * kBlock, '\0')); }

 private:
  void head(const std::string& name, unsigned mode, std::uint64_t size, char type,
            const std::string& target) {
    std::string records;
    if (name.size() > kShortName) records += record("path", name);
    if (target.size() > kShortName) records += record("linkpath", target);
    if (size > kLargestOctal) records += record("size", std::to_string(size));
    if (!records.empty()) {
      block("pax", 0600, records.size(), 'x', "");
      write_all(fd_, records);
      pad(records.size());
    }
    block(name.substr(0, kShortName), mode, std::min(size, kLargestOctal), type,
          target.substr(0, kShortName));
  }

  // "LENGTH NAME=VALUE\n", where the length counts itself.
  static std::string record(const std::string& name, const std::string& value) {
    const std::string rest = " " + name + "=" + value + "\n";
    std::size_t length = rest.size();
    while (std::to_string(length).size() + rest.size() != length)
      length = std::to_string(length).size() + rest.size();
    return std::to_string(length) + rest;
  }

  template <std::size_t Width>
  static void octal(std::array<char, kBlock>& header, std::size_t at, std::uint64_t value) {
    for (std::size_t i = Width - 1; i-- > 0; value >>= 3U)
      header[at + i] = static_cast<char>('0' + (value & 7U));
  }

  void block(const std::string& name, unsigned mode, std::uint64_t size, char type,
             const std::string& target) {
    std::array<char, kBlock> header{};
    const auto text = [&](std::size_t at, std::string_view value) {
      std::copy(value.begin(), value.end(), header.begin() + static_cast<std::ptrdiff_t>(at));
    };
    text(0, name);
    octal<8>(header, 100, mode);
    octal<8>(header, 108, 0);
    octal<8>(header, 116, 0);
    octal<12>(header, 124, size);
    octal<12>(header, 136, static_cast<std::uint64_t>(std::max<std::int64_t>(time_, 0)));
    text(148, "        ");
    header[156] = type;
    text(157, target);
    text(257, std::string_view("ustar\0"
                               "00",
                               8));
    unsigned sum = 0;
    for (const char c : header) sum += static_cast<unsigned char>(c);
    octal<7>(header, 148, sum);
    header[154] = '\0';
    write_all(fd_, {header.data(), header.size()});
  }

  void content(const ContextEntry& entry) {
    std::uint64_t left = entry.size;
    while (left > 0) {
      const ssize_t got = ::read(entry.fd, buffer_.get(), std::min<std::uint64_t>(left, kPiece));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) throw_errno("cannot read " + in_quotes(to_utf8(entry.path)) + " of the context");
      if (got == 0)
        throw Error(ErrorCode::conflict, in_quotes(to_utf8(entry.path)) +
                                             " became shorter while it was read; nothing may write into the "
                                             "context meanwhile");
      write_all(fd_, {buffer_.get(), static_cast<std::size_t>(got)});
      left -= static_cast<std::uint64_t>(got);
    }
    pad(entry.size);
  }

  void pad(std::uint64_t size) const {
    if (size % kBlock != 0) write_all(fd_, std::string(kBlock - size % kBlock, '\0'));
  }

  int fd_;
  std::int64_t time_;
  std::unique_ptr<char[]> buffer_;
};

}  // namespace

ContextTar::ContextTar(int context, const IgnoreRules& rules, std::vector<AddedFile> added, std::int64_t time)
    : pipe_(make_pipe()) {
  thread_ = std::thread([this, context, &rules, added = std::move(added), time]() mutable {
    write(context, rules, std::move(added), time);
  });
}

ContextTar::~ContextTar() {
  stop_.request_stop();
  pipe_.read.reset();  // a write fails then
  thread_.join();
}

void ContextTar::write(int context, const IgnoreRules& rules, std::vector<AddedFile> added,
                       std::int64_t time) {
  // Who stops reading must not end the program: of this thread alone it is an error of the write.
  sigset_t broken;
  sigemptyset(&broken);
  sigaddset(&broken, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &broken, nullptr);
  try {
    Writer writer(pipe_.write.get(), time);
    const auto take = [&](const ContextEntry& entry) {
      const bool replaced = std::any_of(added.begin(), added.end(),
                                        [&](const AddedFile& file) { return file.name == entry.path; });
      if (!replaced) writer.add(entry);
    };
    walk_context(context, rules, take, stop_.get_token());
    for (const AddedFile& file : added) writer.add(file);
    writer.finish();
  } catch (...) {
    failure_ = std::current_exception();
  }
  pipe_.write.reset();
}

std::size_t ContextTar::read(char* buffer, std::size_t size) {
  for (;;) {
    const ssize_t got = ::read(pipe_.read.get(), buffer, size);
    if (got > 0) return static_cast<std::size_t>(got);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_errno("cannot read the context");
    if (failure_) std::rethrow_exception(failure_);
    return 0;
  }
}

}  // namespace runner::builds
