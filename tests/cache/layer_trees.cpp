#include "tests/cache/layer_trees.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

#include <array>
#include <vector>

#include "runner/base/error.h"
#include "tests/cache/trees.h"

namespace runner::cache::testing {
namespace fs = std::filesystem;

bool has_attributes(const fs::path& directory) {
  return ::setxattr(directory.c_str(), "user.probe", "1", 1, 0) == 0 &&
         ::removexattr(directory.c_str(), "user.probe") == 0;
}

void set_attribute(const fs::path& path, const std::string& name, std::string_view value) {
  if (::lsetxattr(path.c_str(), name.c_str(), value.data(), value.size(), 0) != 0)
    throw_errno("cannot set attribute '" + name + "'");
}

void set_time(const fs::path& path, std::int64_t seconds, std::int64_t nanoseconds) {
  const std::array<timespec, 2> times{
      {{.tv_sec = seconds, .tv_nsec = nanoseconds}, {.tv_sec = seconds, .tv_nsec = nanoseconds}}};
  if (::utimensat(AT_FDCWD, path.c_str(), times.data(), AT_SYMLINK_NOFOLLOW) != 0)
    throw_errno("cannot set the time of '" + path.native() + "'");
}

void make_whiteout(const fs::path& path) {
  if (::mknod(path.c_str(), S_IFCHR, ::makedev(0, 0)) != 0)
    throw_errno("cannot make whiteout '" + path.native() + "'");
}

void make_sample_layer(const fs::path& tree) {
  const std::string name_of_80(80, 'n');
  put(tree / "a" / "file.txt", "hello\n");
  put(tree / "a-b", "sorts after what is in 'a'");
  put(tree / "empty", "");
  put(tree / "block", std::string(512, 'x'));
  put(tree / "run.sh", "#!/bin/sh\n");
  fs::permissions(tree / "run.sh", fs::perms(0755));
  fs::create_hard_link(tree / "a" / "file.txt", tree / "linked.txt");
  fs::create_symlink("a/file.txt", tree / "link");
  fs::create_symlink("/usr/" + name_of_80 + "/" + name_of_80, tree / "long link");
  put(tree / name_of_80 / name_of_80 / "deep.txt", "deep");
  put(tree / "gr\xc3\xbc\xc3\x9f" / "e\xcc\x81", "composed and decomposed stay as they are");
  put(tree / "latin-\xfc", "not UTF-8");
  fs::create_symlink("latin-\xfc", tree / "latin link");
  put(tree / ".wh.literal" / ".wh..wh..opq", "names that are only a file's");
  make_whiteout(tree / "gone");
  make_whiteout(tree / ".wh.gone");
  fs::create_directory(tree / "opaque");
  fs::create_directory(tree / "locked");
  fs::permissions(tree / "locked", fs::perms(0500));
  if (::mkfifo((tree / "fifo").c_str(), 0640) != 0) throw_errno("cannot make FIFO");
  put(tree / "sparse", "begin");
  fs::resize_file(tree / "sparse", 3UL << 20U);
  for (const auto& path : {tree / "a" / "file.txt", tree / "a-b", tree / "empty", tree / "block",
                           tree / "fifo", tree / "sparse"})
    fs::permissions(path, fs::perms(0644));
  if (has_attributes(tree)) {
    set_attribute(tree / "a" / "file.txt", "user.note", std::string("two\0lines\n", 10));
    set_attribute(tree / "a" / "file.txt", "user.a=b%c", "odd name");
    set_attribute(tree / "a", "user.directory", "1");
    set_attribute(tree / "a", "user.overlay.origin", "nobody asks");
    set_attribute(tree / "opaque", "user.overlay.opaque", "y");
  }
  // Times last, and a directory's after what is in it.
  std::vector<fs::path> all;
  for (const auto& entry : fs::recursive_directory_iterator(tree)) all.push_back(entry.path());
  for (const auto& path : all) {
    const auto type = fs::symlink_status(path).type();
    if (type == fs::file_type::directory && path.filename() != "locked")
      fs::permissions(path, fs::perms(0755));
    set_time(path, 1'700'000'000, 123'000'000);
  }
  set_time(tree / "empty", 1'700'000'000, 0);
  set_time(tree / "block", -5, 500'000'000);
  set_time(tree / "run.sh", 9'000'000'000, 1);
}

}  // namespace runner::cache::testing
