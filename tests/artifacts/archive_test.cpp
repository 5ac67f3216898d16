#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <locale.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "artifacts/artifacts.h"
#include "runner/base/digest.h"
#include "runner/base/error.h"
#include "runner/base/failpoint.h"
#include "runner/base/files.h"

namespace runner::artifacts {
namespace {

namespace fs = std::filesystem;
using Strings = std::vector<std::string>;

constexpr timespec kOld = {1600000000, 123456789};

void set_time(const fs::path& path) {
  const timespec times[2] = {kOld, kOld};
  ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW), 0);
}

struct stat look(const fs::path& path) {
  struct stat info {};
  EXPECT_EQ(::lstat(path.c_str(), &info), 0) << path;
  return info;
}

unsigned mode_of(const fs::path& path) {
  return look(path).st_mode & 07777U;
}

class Artifacts : public testing::Test {
 protected:
  Artifacts() {
    make_directories(upper_);
    make_directories(lower_);
  }

  static void put(const fs::path& file, std::string_view content, unsigned mode = 0644) {
    make_directories(file.parent_path());
    write_file_atomic(file, content, mode, false);
    set_time(file);
  }

  Selection select(const Strings& paths, const Strings& exclude = {}) const {
    return select_paths(LayeredTree({upper_, lower_}), paths, exclude, "/p");
  }
  LayerStats make(const Strings& paths, const Strings& exclude = {}) const {
    return make_layer(select(paths, exclude), upper_, layer_);
  }
  std::size_t things_beside_the_layers() const {
    const auto all = std::distance(fs::directory_iterator(dir_.path()), fs::directory_iterator());
    return static_cast<std::size_t>(all);
  }

  TempDir dir_{"artifacts-"};
  const fs::path upper_ = dir_.path() / "upper";
  const fs::path lower_ = dir_.path() / "lower";
  const fs::path layer_ = dir_.path() / "layer";
};

TEST_F(Artifacts, LayerLinksTheUpperAndCopiesTheLower) {
  put(upper_ / "out/own", "own", 0755);
  put(upper_ / "out/secret", "closed", 0000);
  put(lower_ / "out/old", "older", 0640);
  fs::create_symlink("../nowhere", upper_ / "out/link");
  fs::create_symlink("target", lower_ / "out/old_link");
  set_time(lower_ / "out/old_link");
  const LayerStats stats = make({"out/*"});
  EXPECT_EQ(stats.files, 5U);
  EXPECT_EQ(stats.bytes, 3U + 6U + 5U);
  EXPECT_TRUE(stats.skipped.empty());
  EXPECT_EQ(look(layer_ / "out/own").st_ino, look(upper_ / "out/own").st_ino);
  EXPECT_EQ(look(layer_ / "out/secret").st_ino, look(upper_ / "out/secret").st_ino);
  EXPECT_NE(look(layer_ / "out/old").st_ino, look(lower_ / "out/old").st_ino);
  EXPECT_EQ(read_file(layer_ / "out/old"), "older");
  EXPECT_EQ(mode_of(layer_ / "out/old"), 0640U);
  EXPECT_EQ(look(layer_ / "out/old").st_mtim.tv_nsec, kOld.tv_nsec);
  EXPECT_EQ(fs::read_symlink(layer_ / "out/link"), "../nowhere");
  EXPECT_EQ(fs::read_symlink(layer_ / "out/old_link"), "target");
  EXPECT_EQ(look(layer_ / "out/old_link").st_mtim.tv_sec, kOld.tv_sec);
  EXPECT_EQ(mode_of(layer_ / "out"), 0755U);
}

TEST_F(Artifacts, SelectedDirectoriesKeepModeAndTime) {
  put(upper_ / "a/b/f", "x");
  make_directories(upper_ / "a/empty");
  ASSERT_EQ(::chmod((upper_ / "a/b").c_str(), 0500), 0);
  ASSERT_EQ(::chmod((upper_ / "a").c_str(), 0710), 0);
  set_time(upper_ / "a/b");
  set_time(upper_ / "a");
  make({"a"});
  EXPECT_EQ(mode_of(layer_ / "a"), 0710U);
  EXPECT_EQ(mode_of(layer_ / "a/b"), 0500U);
  EXPECT_TRUE(fs::is_directory(layer_ / "a/empty"));
  EXPECT_EQ(look(layer_ / "a").st_mtim.tv_sec, kOld.tv_sec);
  EXPECT_EQ(look(layer_ / "a/b").st_mtim.tv_sec, kOld.tv_sec);
}

TEST_F(Artifacts, ExcludedDirectoryIsMadeWithDefaultMode) {
  put(upper_ / "d/f", "x");
  ASSERT_EQ(::chmod((upper_ / "d").c_str(), 0700), 0);
  make({"d"}, {"d"});
  EXPECT_EQ(mode_of(layer_ / "d"), 0755U);
  EXPECT_EQ(read_file(layer_ / "d/f"), "x");
}

TEST_F(Artifacts, SpecialFilesAreSkippedAndNamed) {
  put(upper_ / "d/f", "x");
  ASSERT_EQ(::mkfifo((upper_ / "d/pipe").c_str(), 0600), 0);
  const LayerStats stats = make({"d"});
  EXPECT_EQ(stats.skipped, Strings{"d/pipe"});
  EXPECT_EQ(stats.files, 1U);
  EXPECT_FALSE(fs::exists(fs::symlink_status(layer_ / "d/pipe")));
}

TEST_F(Artifacts, NothingIsReadOrWrittenThroughALink) {
  put(dir_.path() / "outside/f", "secret");
  put(lower_ / "d/f", "x");
  put(upper_ / "e/f", "y");
  const Selection selection = select({"d/f", "e/f"});
  ASSERT_EQ(selection.entries.size(), 2U);
  // A job that still runs swaps a directory for a link after the selection.
  fs::rename(lower_ / "d", lower_ / "moved");
  fs::create_directory_symlink(dir_.path() / "outside", lower_ / "d");
  const std::size_t before = things_beside_the_layers();
  EXPECT_THROW(make_layer(selection, upper_, layer_), Error);
  fs::remove(lower_ / "d");
  fs::rename(lower_ / "moved", lower_ / "d");
  fs::rename(upper_ / "e", upper_ / "moved");
  fs::create_directory_symlink(dir_.path() / "outside", upper_ / "e");
  EXPECT_THROW(make_layer(selection, upper_, layer_), Error);
  EXPECT_EQ(things_beside_the_layers(), before) << "a part of a layer stayed";
}

TEST_F(Artifacts, ExistingDestinationIsRefusedAndVanishedFilesAreErrors) {
  put(upper_ / "f", "x");
  const Selection selection = select({"f"});
  make_directories(layer_);
  EXPECT_THROW(make_layer(selection, upper_, layer_), Error);
  fs::remove(layer_);
  fs::remove(upper_ / "f");
  EXPECT_THROW(make_layer(selection, upper_, layer_), Error);
  EXPECT_FALSE(fs::exists(layer_));
}

TEST_F(Artifacts, DeepTreesFit) {
  fs::path deep = upper_;
  for (int i = 0; i < 300; ++i) deep /= "abcdefgh";  // longer than one path may be, in the layer
  make_directories(deep);
  put(deep / "f", "x");
  EXPECT_EQ(make({"."}).files, 1U);
  EXPECT_EQ(write_archive(layer_, dir_.path() / "store", ArchiveFormat::zip).files, 1U);
}

/// "path type mode mtime size content-or-target" of every entry, as libarchive reads them.
Strings read_back(const fs::path& file) {
  Strings entries;
  const locale_t utf8 = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  const locale_t before = ::uselocale(utf8);
  archive* reader = archive_read_new();
  archive_read_support_format_zip_streamable(reader);
  archive_read_support_format_tar(reader);
  archive_read_support_filter_all(reader);
  EXPECT_EQ(archive_read_open_filename(reader, file.c_str(), 65536), ARCHIVE_OK);
  archive_entry* entry = nullptr;
  // A warning is about a name that is no UTF-8.
  for (int result = ARCHIVE_OK;
       (result = archive_read_next_header(reader, &entry)) == ARCHIVE_OK || result == ARCHIVE_WARN;) {
    std::string content;
    char buffer[4096];
    for (la_ssize_t got = 0; (got = archive_read_data(reader, buffer, sizeof buffer)) > 0;) {
      content.append(buffer, static_cast<std::size_t>(got));
    }
    entries.push_back(std::string(archive_entry_pathname(entry)) + " " +
                      std::to_string(archive_entry_mtime(entry)) + " " + content);
  }
  archive_read_free(reader);
  ::uselocale(before);
  ::freelocale(utf8);
  return entries;
}

class Archives : public Artifacts, public testing::WithParamInterface<ArchiveFormat> {
 protected:
  void fill(const fs::path& tree) const {
    put(tree / "b/run", "#!/bin/sh\n", 0755);
    put(tree / "b/data", std::string(300000, 'z'));
    put(tree / "a", "");
    put(tree / "b-c", "dash");
    put(tree / "\xC3\xA4.txt", "umlaut");
    put(tree / "bad\xff", "bytes");
    fs::create_symlink("../b/run", tree / "link");
    set_time(tree / "link");
    make_directories(tree / "empty");
    set_time(tree / "empty");
    set_time(tree / "b");
    set_time(tree);
  }
  const fs::path store_ = dir_.path() / "store";
};

TEST_P(Archives, HoldTheWholeTreeSorted) {
  fill(layer_);
  const ArchiveInfo info = write_archive(layer_, store_, GetParam());
  EXPECT_EQ(info.files, 7U);
  EXPECT_EQ(info.bytes, fs::file_size(info.path));
  EXPECT_EQ(info.sha256, sha256_hex(*read_file(info.path)));
  const std::string extension = GetParam() == ArchiveFormat::zip ? ".zip" : ".tar.zst";
  EXPECT_EQ(info.path, store_ / info.sha256.substr(0, 2) / (info.sha256 + extension));
  EXPECT_EQ(mode_of(info.path), 0644U);
  const Strings entries = read_back(info.path);
  Strings names;
  for (const auto& entry : entries) names.push_back(entry.substr(0, entry.find(' ')));
  EXPECT_EQ(names,
            (Strings{"a", "b/", "b-c", "b/data", "b/run", "bad\xff", "empty/", "link", "\xC3\xA4.txt"}));
  EXPECT_EQ(entries[2], "b-c 1600000000 dash");
  EXPECT_EQ(entries[3].size(), std::string("b/data 1600000000 ").size() + 300000);
  EXPECT_LT(info.bytes, 20000U) << "it is compressed";
}

TEST_P(Archives, EqualTreesGiveEqualBytes) {
  fill(layer_);
  fill(dir_.path() / "copy");
  const ArchiveInfo first = write_archive(layer_, store_, GetParam());
  const ArchiveInfo second = write_archive(dir_.path() / "copy", store_, GetParam());
  EXPECT_EQ(first.path, second.path);
  put(dir_.path() / "copy/a", "other");
  EXPECT_NE(write_archive(dir_.path() / "copy", store_, GetParam()).sha256, first.sha256);
  EXPECT_EQ(std::distance(fs::recursive_directory_iterator(store_), fs::recursive_directory_iterator()), 4);
}

TEST_P(Archives, AnEmptyTreeIsAnArchive) {
  make_directories(layer_);
  const ArchiveInfo info = write_archive(layer_, store_, GetParam());
  EXPECT_EQ(info.files, 0U);
  EXPECT_TRUE(read_back(info.path).empty());
}

TEST_P(Archives, FullDiskLeavesNothingVisible) {
  make_directories(layer_);
  std::string noise;
  for (unsigned i = 0, seed = 1; i < 1000000; ++i)
    noise += static_cast<char>((seed = seed * 1664525 + 1013904223) >> 24U);
  put(layer_ / "noise", noise);
  make_directories(store_);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    // A limit on the file size stands for the full disk: the write fails half way.
    const rlimit limit{100000, 100000};
    ::signal(SIGXFSZ, SIG_IGN);
    if (::setrlimit(RLIMIT_FSIZE, &limit) != 0) ::_exit(3);
    try {
      write_archive(layer_, store_, GetParam());
    } catch (const Error& error) {
      ::_exit(error.system().value() == EFBIG ? 0 : 2);
    }
    ::_exit(1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_TRUE(fs::is_empty(store_));
}

TEST_P(Archives, SpecialFileInTheTreeIsAnError) {
  make_directories(layer_);
  ASSERT_EQ(::mkfifo((layer_ / "pipe").c_str(), 0600), 0);
  EXPECT_THROW(write_archive(layer_, store_, GetParam()), Error);
  EXPECT_THROW(write_archive(dir_.path() / "none", store_, GetParam()), Error);
  EXPECT_TRUE(fs::is_empty(store_));
}

TEST_P(Archives, StoppedWritingLeavesNothing) {
  fill(layer_);
  int asked = 0;
  const auto stop = [&] { return ++asked == 5; };
  try {
    write_archive(layer_, store_, GetParam(), kDefaultCompression, stop);
    FAIL() << "it was not stopped";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::cancelled);
  }
  EXPECT_TRUE(fs::is_empty(store_));
}

TEST_P(Archives, LeftoverOfAKilledWriterIsRemovedAndNoPartIsSeen) {
#ifndef RUNNER_FAILPOINTS
  GTEST_SKIP() << "no failpoints in this build";
#endif
  fill(layer_);
  for (const std::string_view point : {"artifacts.written", "artifacts.synced", "artifacts.published"}) {
    SCOPED_TRACE(point);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
#ifdef RUNNER_FAILPOINTS
      set_failpoint_handler([&](std::string_view name) {
        if (name == point) ::raise(SIGKILL);
      });
#endif
      write_archive(layer_, store_, GetParam());
      ::_exit(0);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the point was not reached";
    remove_leftovers(store_);
    for (const auto& entry : fs::recursive_directory_iterator(store_)) {
      if (!entry.is_regular_file()) continue;
      EXPECT_EQ(entry.path().filename().string().substr(0, 64), sha256_hex(*read_file(entry.path())));
    }
  }
  EXPECT_TRUE(fs::exists(write_archive(layer_, store_, GetParam()).path));
}

TEST_F(Artifacts, LeftoversOfThoseAtWorkStay) {
  put(layer_ / "f", "x");
  const fs::path store = dir_.path() / "store";
  std::size_t seen = 0;
  const auto look_around = [&] {
    remove_leftovers(store);
    seen = static_cast<std::size_t>(std::distance(fs::directory_iterator(store), fs::directory_iterator()));
    return false;
  };
  const ArchiveInfo info = write_archive(layer_, store, ArchiveFormat::zip, 1, look_around);
  EXPECT_EQ(seen, 1U);
  EXPECT_TRUE(fs::exists(info.path));
  put(store / ".archive-abcdef", "half");
  remove_leftovers(store);
  EXPECT_FALSE(fs::exists(store / ".archive-abcdef"));
  EXPECT_TRUE(fs::exists(info.path));
  remove_leftovers(dir_.path() / "none");
}

INSTANTIATE_TEST_SUITE_P(Formats, Archives, testing::Values(ArchiveFormat::zip, ArchiveFormat::tar_zst),
                         [](const auto& format) {
                           return format.param == ArchiveFormat::zip ? std::string("Zip")
                                                                     : std::string("TarZst");
                         });

TEST_F(Artifacts, CompressionCanBeSwitchedOff) {
  put(upper_ / "f", std::string(100'000, 'x'));
  make({"f"});
  const fs::path store = dir_.path() / "store";
  const ArchiveInfo packed = write_archive(layer_, store, ArchiveFormat::zip);
  const ArchiveInfo stored = write_archive(layer_, store, ArchiveFormat::zip, 0);
  EXPECT_LT(packed.bytes, 10'000U);
  EXPECT_GT(stored.bytes, 100'000U);
}

/// Neither all alike nor all noise; longer than one piece of packing.
std::string long_text(std::size_t size) {
  std::string text;
  for (unsigned seed = 1; text.size() < size;) {
    seed = seed * 1664525 + 1013904223;
    text += "line " + std::to_string(seed >> 20U) + (seed % 7 == 0 ? "\n" : " and on\n");
  }
  text.resize(size);
  return text;
}

TEST_F(Artifacts, LongFilesArePackedInPiecesAndReadAsOne) {
  const std::size_t piece = std::size_t{512} << 10U;
  put(upper_ / "d/exact", long_text(2 * piece));
  put(upper_ / "d/long", long_text(3'000'001));
  put(upper_ / "d/one_more", long_text(piece + 1));
  put(upper_ / "d/zeros", std::string(5 * piece, '\0'));
  for (int i = 0; i < 300; ++i)
    put(upper_ / "many" / std::to_string(i), long_text(static_cast<std::size_t>(i) * 40));
  make({"d", "many"});
  for (const int level : {0, 1, 9}) {
    SCOPED_TRACE(level);
    const ArchiveInfo info = write_archive(layer_, dir_.path() / "store", ArchiveFormat::zip, level);
    EXPECT_EQ(info.files, 304U);
    const Strings entries = read_back(info.path);
    ASSERT_EQ(entries.size(), 306U);
    EXPECT_EQ(entries[1], "d/exact 1600000000 " + long_text(2 * piece));
    EXPECT_EQ(entries[2], "d/long 1600000000 " + long_text(3'000'001));
    EXPECT_EQ(entries[3], "d/one_more 1600000000 " + long_text(piece + 1));
    EXPECT_EQ(entries[4], "d/zeros 1600000000 " + std::string(5 * piece, '\0'));
    EXPECT_EQ(entries[6], "many/0 1600000000 ");
    EXPECT_EQ(entries[7 + 11], "many/109 1600000000 " + long_text(109UL * 40));
    const std::string unzip =
        "! command -v unzip >/dev/null 2>&1 || unzip -tq '" + info.path.string() + "' >/dev/null";
    EXPECT_EQ(std::system(unzip.c_str()), 0);
  }
}

TEST_F(Artifacts, PythonReadsWhatIsInTheArchive) {
  if (std::system("command -v python3 >/dev/null 2>&1") != 0) GTEST_SKIP() << "no python3 here";
  put(upper_ / "d/run", "x", 0755);
  put(upper_ / "d/\xC3\xA4", "umlaut");
  put(upper_ / "d/long", long_text(2'000'000));
  make_directories(upper_ / "d/empty");
  fs::create_symlink("run", upper_ / "d/link");
  make({"d"});
  const ArchiveInfo info = write_archive(layer_, dir_.path() / "store", ArchiveFormat::zip);
  put(dir_.path() / "check.py", R"(
import stat, sys, zipfile
archive = zipfile.ZipFile(sys.argv[1])
assert archive.testzip() is None
names = archive.namelist()
assert names == ['d/', 'd/empty/', 'd/link', 'd/long', 'd/run', 'd/\u00e4'], names
mode = {i.filename: i.external_attr >> 16 for i in archive.infolist()}
assert mode['d/run'] == stat.S_IFREG | 0o755, oct(mode['d/run'])
assert stat.S_ISLNK(mode['d/link']) and archive.read('d/link') == b'run'
assert stat.S_ISDIR(mode['d/empty/'])
assert archive.getinfo('d/run').date_time == (2020, 9, 13, 12, 26, 40)
assert len(archive.read('d/long')) == 2000000
)");
  const std::string command =
      "python3 '" + (dir_.path() / "check.py").string() + "' '" + info.path.string() + "'";
  EXPECT_EQ(std::system(command.c_str()), 0);
}

TEST_F(Artifacts, UnzipAcceptsTheArchive) {
  if (std::system("command -v unzip >/dev/null 2>&1") != 0) GTEST_SKIP() << "no unzip here";
  put(upper_ / "d/run", "x", 0755);
  put(upper_ / "d/\xC3\xA4", "umlaut");
  fs::create_symlink("run", upper_ / "d/link");
  make({"d"});
  const ArchiveInfo info = write_archive(layer_, dir_.path() / "store", ArchiveFormat::zip);
  const fs::path out = dir_.path() / "out";
  const std::string command = "unzip -tq '" + info.path.string() + "' >/dev/null && unzip -q '" +
                              info.path.string() + "' -d '" + out.string() + "'";
  ASSERT_EQ(std::system(command.c_str()), 0);
  EXPECT_EQ(mode_of(out / "d/run"), 0755U);
  EXPECT_EQ(look(out / "d/run").st_mtim.tv_sec, kOld.tv_sec);
  EXPECT_EQ(fs::read_symlink(out / "d/link"), "run");
}

}  // namespace
}  // namespace runner::artifacts
