#include "cache/layer_pack.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "cache/layer_names.h"
#include "cache/pax_header.h"
#include "cache/zstd_stream.h"
#include "runner/base/digest.h"
#include "runner/base/directory_stream.h"
#include "runner/base/error.h"
#include "runner/base/failpoint.h"
#include "runner/base/fd.h"
#include "runner/base/opened_up.h"
#include "runner/base/overlay_marks.h"
#include "runner/base/text.h"

namespace runner::cache {
namespace {

// Small enough to stay in the second-level cache between being read and being hashed.
constexpr std::size_t kChunk = 256UL << 10U;
// Directories that are open at once; those above are opened again through ".." on the way back.
constexpr std::size_t kOpenLevels = 128;

struct Child {
  std::string name;
  unsigned char type = DT_UNKNOWN;
};

struct Level {
  UniqueFd directory;
  std::optional<OpenedUp> opened;  // what lies in a closed directory is reached through it
  std::vector<Child> children;
  std::size_t next = 0;
  std::size_t path_size = 0, archived_size = 0;  // of the walk's paths, up to this directory
};

std::vector<Child> children_of(int directory, const std::string& shown) {
  // fdopendir() takes the descriptor, and the walk still needs its own.
  UniqueFd own(::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!own) throw_errno("cannot open directory " + in_quotes(shown));
  const DirectoryStream stream(::fdopendir(own.get()));
  if (!stream) throw_errno("cannot read directory " + in_quotes(shown));
  static_cast<void>(own.release());
  std::vector<Child> children;
  for (;;) {
    errno = 0;
    const dirent* entry = ::readdir(stream.get());
    if (entry == nullptr) break;
    const std::string_view name(entry->d_name);
    if (name != "." && name != "..") children.push_back({std::string(name), entry->d_type});
  }
  if (errno != 0) throw_errno("cannot read directory " + in_quotes(shown));
  std::ranges::sort(children, {}, &Child::name);
  return children;
}

std::string attribute_value(int file, const char* name, const std::string& shown) {
  std::string value(256, '\0');
  for (;;) {
    const ssize_t size = ::fgetxattr(file, name, value.data(), value.size());
    if (size >= 0) {
      value.resize(static_cast<std::size_t>(size));
      return value;
    }
    if (errno != ERANGE)
      throw_errno("cannot read attribute '" + std::string(name) + "' of " + in_quotes(shown));
    value.resize(value.size() * 4);
  }
}

/// Names of all attributes, each ended by NUL. Empty where the file system has none.
std::string attribute_names(int file, const std::string& shown) {
  std::string names(256, '\0');
  for (;;) {
    const ssize_t size = ::flistxattr(file, names.data(), names.size());
    if (size >= 0) {
      names.resize(static_cast<std::size_t>(size));
      return names;
    }
    if (errno == ENOTSUP) return {};
    if (errno != ERANGE) throw_errno("cannot read the attributes of " + in_quotes(shown));
    names.resize(names.size() * 4);
  }
}

class Packer {
 public:
  Packer(const std::function<void(std::string_view)>& sink, const std::function<bool()>& stop)
      : sink_(sink), stop_(stop), buffer_(kChunk, '\0') {}

  void pack(const std::filesystem::path& tree) {
    shown_ = tree.native();
    UniqueFd root(::open(tree.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!root) throw_errno("cannot open directory " + in_quotes(shown_));
    read_attributes(root.get());  // of the top only the mark counts
    enter(std::move(root), std::nullopt);
    while (!levels_.empty()) step();
    buffer_text(std::string(2 * kTarBlock, '\0'));
    flush();
  }

 private:
  void step() {
    Level& level = levels_.back();
    path_.resize(level.path_size);
    archived_.resize(level.archived_size);
    if (level.next == level.children.size()) return leave();
    const Child child = std::move(level.children[level.next++]);
    ask_stop();
    path_ += child.name;
    shown_ = path_;
    if (child.type == DT_REG) return add_file(level.directory.get(), child.name);
    if (child.type == DT_DIR) return add_directory(level.directory.get(), child.name);
    add_other(level.directory.get(), child.name);
  }

  void enter(UniqueFd directory, std::optional<OpenedUp> opened) {
    Level level;
    level.opened = std::move(opened);
    level.children = children_of(directory.get(), shown_);
    level.directory = std::move(directory);
    level.path_size = path_.size();
    level.archived_size = archived_.size();
    if (opaque_) add_mark(archived_ + std::string(kOpaqueName));
    levels_.push_back(std::move(level));
    if (levels_.size() > kOpenLevels) levels_[levels_.size() - 1 - kOpenLevels].directory.reset();
  }

  void leave() {
    const Level left = std::move(levels_.back());
    levels_.pop_back();
    if (levels_.empty() || levels_.back().directory) return;
    levels_.back().directory.reset(::openat(left.directory.get(), "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!levels_.back().directory) throw_errno("cannot open the directory above " + in_quotes(shown_));
  }

  void ask_stop() const {
    if (stop_ && stop_()) throw Error(ErrorCode::cancelled, "packing was stopped");
  }

  PaxEntry entry_of(const std::string& name, const struct stat& info, char type) {
    archived_ += archived_name(name);
    PaxEntry entry;
    entry.path = archived_;
    entry.type = type;
    entry.mode = info.st_mode & 07777U;
    // What belongs to whoever runs us is 0, as in an image: the same tree has the same name for every user.
    entry.uid = info.st_uid == user_ ? 0 : info.st_uid;
    entry.gid = info.st_gid == group_ ? 0 : info.st_gid;
    entry.seconds = info.st_mtim.tv_sec;
    entry.nanoseconds = static_cast<std::uint32_t>(info.st_mtim.tv_nsec);
    return entry;
  }

  void add_header(const PaxEntry& entry) {
    header_.clear();
    append_pax_header(entry, header_);
    buffer_text(header_);
  }

  /// An empty file that stands for something.
  void add_mark(std::string path) {
    PaxEntry entry;
    entry.path = std::move(path);
    entry.mode = 0644;
    add_header(entry);
  }

  void add_directory(int parent, const std::string& name) {
    constexpr int kFlags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    std::optional<mode_t> left;
    std::optional<OpenedUp> opened = open_up(parent, name, left);
    UniqueFd directory(::openat(parent, name.c_str(), kFlags));
    if (!directory) throw_errno("cannot open directory " + in_quotes(shown_));
    struct stat info = stat_of(directory.get());
    info.st_mode = left.value_or(info.st_mode);
    PaxEntry entry = entry_of(name, info, '5');
    entry.path = archived_ += '/';
    path_ += '/';
    entry.attributes = read_attributes(directory.get());
    add_header(entry);
    enter(std::move(directory), std::move(opened));
  }

  void add_file(int parent, const std::string& name) {
    // Without blocking, should a FIFO have this name by now.
    std::optional<mode_t> left;
    std::optional<OpenedUp> opened = open_up(parent, name, left);
    const UniqueFd file(::openat(parent, name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    if (!file) throw_errno("cannot open " + in_quotes(shown_));
    opened.reset();  // once is enough
    struct stat info = stat_of(file.get());
    if (!S_ISREG(info.st_mode)) throw changed();
    info.st_mode = left.value_or(info.st_mode);
    PaxEntry entry = entry_of(name, info, '0');
    if (info.st_nlink > 1) {
      const auto [first, is_new] = linked_.try_emplace({info.st_dev, info.st_ino}, archived_);
      if (!is_new) {
        entry.type = '1';
        entry.target = first->second;
        return add_header(entry);
      }
    }
    entry.size = static_cast<std::uint64_t>(info.st_size);
    entry.attributes = read_attributes(file.get());
    add_header(entry);
    add_content(file.get(), entry.size);
  }

  void add_other(int parent, const std::string& name) {
    struct stat info {};
    if (::fstatat(parent, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0)
      throw_errno("cannot read " + in_quotes(shown_));
    if (S_ISREG(info.st_mode)) return add_file(parent, name);
    if (S_ISDIR(info.st_mode)) return add_directory(parent, name);
    if (is_whiteout(info)) return add_mark(archived_ + std::string(kWhiteoutPrefix) + archived_name(name));
    if (S_ISLNK(info.st_mode)) {
      PaxEntry entry = entry_of(name, info, '2');
      // As made: the file system does not keep the mode of a link in the same way everywhere.
      entry.mode = 0777;
      entry.target = read_link(parent, name, info.st_size);
      return add_header(entry);
    }
    if (S_ISFIFO(info.st_mode)) return add_header(entry_of(name, info, '6'));
    throw Error(ErrorCode::invalid_input,
                "cannot pack " + in_quotes(shown_) + ": a layer has no sockets and no devices");
  }

  /// `left` is the mode as a job left it, should that differ.
  static std::optional<OpenedUp> open_up(int parent, const std::string& name, std::optional<mode_t>& left) {
    if (reads_everything()) return std::nullopt;
    struct stat info {};
    int error = 0;  // said by who opens it
    auto opened = OpenedUp::look(parent, name, info, error);
    if (opened) left = info.st_mode;
    return opened;
  }

  struct stat stat_of(int file) const {
    struct stat info {};
    if (::fstat(file, &info) != 0) throw_errno("cannot read " + in_quotes(shown_));
    return info;
  }

  std::string read_link(int parent, const std::string& name, off_t size) const {
    std::string target(static_cast<std::size_t>(size) + 1, '\0');
    const ssize_t length = ::readlinkat(parent, name.c_str(), target.data(), target.size());
    if (length < 0) throw_errno("cannot read link " + in_quotes(shown_));
    if (length != size) throw changed();
    target.pop_back();
    return target;
  }

  /// Those of the content; sets opaque_.
  std::vector<std::pair<std::string, std::string>> read_attributes(int file) {
    opaque_ = false;
    std::vector<std::pair<std::string, std::string>> attributes;
    const std::string names = attribute_names(file, shown_);
    for (std::size_t at = 0; at < names.size();) {
      const char* name = names.data() + at;
      const std::string_view view(name);
      at += view.size() + 1;
      if (!view.starts_with("user.")) continue;
      if (view.starts_with("user.overlay.")) {
        if (view == "user.overlay.opaque") opaque_ = attribute_value(file, name, shown_) == "y";
        continue;
      }
      attributes.emplace_back(view, attribute_value(file, name, shown_));
    }
    std::ranges::sort(attributes);
    return attributes;
  }

  void add_content(int file, std::uint64_t size) {
    for (std::uint64_t left = size; left > 0;) {
      if (buffer_.size() - used_ < std::min<std::uint64_t>(left + 1, kChunk / 4)) flush();
      // The last read asks for one byte more than there should be: so a file that grew is seen without
      // another call. A read that would end just at the expected end leaves a byte to do.
      auto room = std::min<std::uint64_t>(buffer_.size() - used_, left + 1);
      if (room == left) --room;
      const ssize_t got = ::read(file, buffer_.data() + used_, static_cast<std::size_t>(room));
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) throw_errno("cannot read " + in_quotes(shown_));
      if (got == 0 || static_cast<std::uint64_t>(got) > left) throw changed();
      used_ += static_cast<std::size_t>(got);
      left -= static_cast<std::uint64_t>(got);
      ask_stop();
    }
    buffer_text(std::string_view(kZeros.data(), padding_of(size)));
  }

  Error changed() const { return {ErrorCode::conflict, in_quotes(shown_) + " changed while it was read"}; }

  void buffer_text(std::string_view text) {
    while (!text.empty()) {
      if (used_ == buffer_.size()) flush();
      const auto part = std::min(text.size(), buffer_.size() - used_);
      std::memcpy(buffer_.data() + used_, text.data(), part);
      used_ += part;
      text.remove_prefix(part);
    }
  }

  void flush() {
    if (used_ > 0) sink_(std::string_view(buffer_.data(), used_));
    used_ = 0;
  }

  static constexpr std::array<char, kTarBlock> kZeros{};
  const std::function<void(std::string_view)>& sink_;
  const std::function<bool()>& stop_;
  const uid_t user_ = ::geteuid();
  const gid_t group_ = ::getegid();
  std::vector<Level> levels_;
  std::string path_, archived_;  // of the entry at hand, with '/' after each directory
  std::string shown_;            // what messages call it
  std::map<std::pair<dev_t, ino_t>, std::string> linked_;  // archived path of the first name
  bool opaque_ = false;                                    // of the directory whose attributes were read last
  std::string header_;
  std::string buffer_;
  std::size_t used_ = 0;
};

}  // namespace

void pack_layer(const std::filesystem::path& tree, const std::function<void(std::string_view)>& sink,
                const std::function<bool()>& stop) {
  Packer(sink, stop).pack(tree);
}

std::string layer_digest(const std::filesystem::path& tree, const std::function<bool()>& stop) {
  Sha256 digest;
  pack_layer(
      tree, [&digest](std::string_view bytes) { digest.update(bytes); }, stop);
  return "sha256:" + digest.finish_hex();
}

PackedLayer write_packed_layer(const std::filesystem::path& tree, const std::filesystem::path& file,
                               int compression, const std::function<bool()>& stop) {
  const std::string shown = in_quotes(file.native());
  std::string temporary = (file.parent_path() / ("." + file.filename().native() + ".XXXXXX")).native();
  const UniqueFd out(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!out) throw_errno("cannot make " + shown);
  PackedLayer packed;
  try {
    Sha256 digest;
    ZstdWriter writer(out.get(), compression);
    pack_layer(
        tree,
        [&](std::string_view bytes) {
          writer.write(bytes);
          digest.update(bytes);
        },
        stop);
    packed = {"sha256:" + digest.finish_hex(), writer.finish()};
    if (::fchmod(out.get(), 0644) != 0 || ::fdatasync(out.get()) != 0) throw_errno("cannot write " + shown);
    failpoint("pack.written");
    if (::rename(temporary.c_str(), file.c_str()) != 0) throw_errno("cannot make " + shown);
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  return packed;
}

}  // namespace runner::cache
