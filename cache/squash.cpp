// Several layers made into one. The reader of layered trees says what is seen; here also counts what is
// hidden, as there may be further layers below.
#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <utility>

#include "cache/tree_writer.h"
#include "cache/workspace.h"
#include "runner/base/directory_stream.h"
#include "runner/base/error.h"
#include "runner/base/fd.h"
#include "runner/base/opened_up.h"
#include "runner/base/overlay_marks.h"
#include "runner/base/text.h"

namespace runner::cache {
namespace fs = std::filesystem;
namespace {

/// One name of a merged directory.
struct Name {
  EntryType type = EntryType::other;
  struct stat info {};              // of the topmost
  std::vector<std::size_t> layers;  // that show it, top first; further ones of a directory only
  bool whiteout = false;
  bool closed = false;  // nothing further down counts
  bool cut = false;     // a directory: the group itself hides what lower layers have in it
};
using Names = std::map<std::string, Name>;

EntryType type_of(mode_t mode) noexcept {
  if (S_ISREG(mode)) return EntryType::file;
  if (S_ISDIR(mode)) return EntryType::directory;
  if (S_ISLNK(mode)) return EntryType::symlink;
  return EntryType::other;
}

bool is_opaque_path(const std::string& directory) {
  char value = 0;
  return ::lgetxattr(directory.c_str(), kOpaqueAttribute, &value, 1) == 1 && value == 'y';
}

class Squash {
 public:
  Squash(std::span<const fs::path> layers, const fs::path& destination, std::span<const fs::path> below,
         const std::function<bool()>& stop)
      : layers_(layers), below_({below.begin(), below.end()}), stop_(stop), writer_(destination) {}

  void run() {
    for (const fs::path& layer : layers_) opened_.open(layer, stop_);
    struct stat top {};
    if (::stat(layers_.front().c_str(), &top) != 0)
      throw_errno("cannot read directory " + in_quotes(layers_.front().native()));
    Level root;
    root.hides = !below_.layers().empty();
    for (std::size_t layer = 0; layer < layers_.size(); ++layer) root.layers.push_back(layer);
    // A list instead of recursion: how deep a tree is, is up to the job.
    std::vector<Level> open{std::move(root)};
    while (!open.empty()) {
      const Level level = std::move(open.back());
      open.pop_back();
      for (auto& [name, found] : names_of(level)) {
        if (stop_ && stop_()) throw Error(ErrorCode::cancelled, "squashing was stopped");
        const std::string path = level.path.empty() ? name : level.path + "/" + name;
        write(path, found, level.hides);
        if (found.type == EntryType::directory)
          open.push_back({path, std::move(found.layers), level.hides && !found.cut});
      }
    }
    writer_.finish(top);
  }

 private:
  struct Level {
    std::string path;
    std::vector<std::size_t> layers;
    bool hides = false;  // lower layers would be seen in it
  };

  std::string real(std::size_t layer, const std::string& path) const {
    return path.empty() ? layers_[layer].native() : layers_[layer].native() + "/" + path;
  }

  Names names_of(const Level& level) const {
    Names names;
    for (const std::size_t layer : level.layers) {
      const std::string shown = real(layer, level.path);
      UniqueFd fd(::open(shown.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
      if (!fd) throw_errno("cannot open directory " + in_quotes(shown));
      const DirectoryStream stream(::fdopendir(fd.get()));
      if (!stream) throw_errno("cannot read directory " + in_quotes(shown));
      fd.release();
      for (;;) {
        errno = 0;
        const dirent* listed = ::readdir(stream.get());
        if (listed == nullptr && errno != 0) throw_errno("cannot read directory " + in_quotes(shown));
        if (listed == nullptr) break;
        const std::string name = listed->d_name;
        if (name != "." && name != "..") look_at(names, layer, ::dirfd(stream.get()), shown, name);
      }
    }
    return names;
  }

  void look_at(Names& names, std::size_t layer, int directory, const std::string& shown,
               const std::string& name) const {
    const auto [place, is_new] = names.try_emplace(name);
    Name& seen = place->second;
    if (seen.closed) return;
    struct stat info {};
    if (::fstatat(directory, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0)
      throw_errno("cannot look at " + in_quotes(shown + "/" + name));
    opened_.correct(info);
    const EntryType type = type_of(info.st_mode);
    if (is_new) {
      seen.type = type;
      seen.info = info;
      seen.whiteout = is_whiteout(info);
    }
    if (type == EntryType::directory) {
      seen.layers.push_back(layer);
      seen.closed = seen.cut = is_opaque_path(shown + "/" + name);
    } else {
      if (is_new) seen.layers.push_back(layer);
      seen.closed = true;
      seen.cut = !is_new;
    }
  }

  void write(const std::string& path, const Name& name, bool hides) {
    const bool lost = name.type == EntryType::other && !S_ISFIFO(name.info.st_mode);
    if (name.whiteout || lost) {
      if (hides && below_.find(path)) writer_.add_whiteout(path);
      return;
    }
    const std::size_t layer = name.layers.front();
    writer_.add({path, name.type, layer, real(layer, path)}, name.info, TreeWriter::Content::link);
    if (!hides || !name.cut) return;
    const auto hidden = below_.find(path);
    if (hidden && hidden->type == EntryType::directory) writer_.make_opaque(path);
  }

  std::span<const fs::path> layers_;
  LayeredTree below_;
  const std::function<bool()>& stop_;
  OpenedTrees opened_;
  TreeWriter writer_;
};

}  // namespace

void squash_layers(std::span<const fs::path> layers, const fs::path& destination,
                   std::span<const fs::path> below, const std::function<bool()>& stop) {
  if (layers.empty()) throw Error(ErrorCode::invalid_input, "there are no layers to be made into one");
  if (::mkdir(destination.c_str(), 0700) != 0 && errno != EEXIST)
    throw_errno("cannot make directory " + in_quotes(destination.native()));
  Squash(layers, destination, below, stop).run();
}

}  // namespace runner::cache
