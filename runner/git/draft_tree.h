#pragma once
// The directory of a layer being made. Internal to this folder; one thread, but for write_file() and
// write_link(), which any thread may call once the directories are there.

#include <cstdint>
#include <ctime>
#include <filesystem>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "cache/layer_store.h"
#include "runner/base/fd.h"

namespace runner::git {

class DraftTree {
 public:
  /// `mtime` is what files get.
  DraftTree(const std::filesystem::path& tree, const timespec& mtime);

  void make_directory(const std::string& path);
  void make_parents(std::string_view path);
  void whiteout(const std::string& path);
  void link(const std::filesystem::path& from, const std::string& path);

  struct Written {
    std::uint64_t bytes = 0, disk = 0;
  };
  /// Their directories exist.
  Written write_file(const std::string& path, std::string_view content, bool executable) const;
  Written write_link(const std::string& path, const std::string& target) const;
  /// An empty file to be filled by its descriptor, then finish_file().
  UniqueFd create_file(const std::string& path, bool executable) const;
  Written finish_file(int fd, const std::string& path, bool executable) const;
  /// With the time of now instead.
  Written write_undated(const std::string& path, std::string_view content) const;
  void count(const Written& written);

  const cache::Draft::Content& content() const noexcept { return content_; }

 private:
  std::filesystem::path tree_;
  UniqueFd root_;
  timespec mtime_;
  std::set<std::string, std::less<>> directories_;
  cache::Draft::Content content_;
};

}  // namespace runner::git
