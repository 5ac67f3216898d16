#include "runner/base/unpack.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>

#include "runner/base/error.h"
#include "runner/base/files.h"
#include "tests/base/archive_maker.h"

namespace runner {
namespace {

namespace fs = std::filesystem;
using test::ArchiveFormat;
using test::MadeEntry;

constexpr ArchiveFormat kFormats[] = {ArchiveFormat::tar, ArchiveFormat::tar_gz, ArchiveFormat::tar_xz,
                                      ArchiveFormat::tar_zst, ArchiveFormat::zip};

/// A directory to unpack into, and another beside it that nothing may touch.
class Unpack : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directory(target_);
    fs::create_directory(beside_);
    write_file_atomic(beside_ / "secret", "secret", 0600, false);
    before_ = look_beside();
  }
  void TearDown() override { EXPECT_EQ(look_beside(), before_); }

  /// All that is not in the target.
  std::map<std::string, std::string> look_beside() const {
    std::map<std::string, std::string> seen;
    for (const auto& entry : fs::directory_iterator(dir_.path())) seen[entry.path().filename()];
    seen.erase("archive");
    for (const auto& entry : fs::recursive_directory_iterator(beside_)) {
      struct stat info {};
      ::lstat(entry.path().c_str(), &info);
      seen[entry.path()] = std::to_string(info.st_mode) + " " + std::to_string(info.st_nlink) + " " +
                           std::to_string(info.st_mtim.tv_nsec) + " " + read_file(entry.path()).value_or("");
    }
    return seen;
  }

  void make(ArchiveFormat format, const std::vector<MadeEntry>& entries, const std::string& options = "") {
    test::make_archive(archive_, format, entries, options);
  }

  /// The message; "" when nothing was refused.
  std::string refusal(const UnpackOptions& options = {}) {
    try {
      unpack(archive_, target_, options);
      return "";
    } catch (const Error& error) {
      code_ = error.code();
      return error.what();
    }
  }

  void empty_target() {
    remove_tree(target_);
    fs::create_directory(target_);
  }

  std::string text(const std::string& path) const { return read_file(target_ / path).value_or("(missing)"); }
  unsigned mode(const std::string& path) const {
    struct stat info {};
    return ::lstat((target_ / path).c_str(), &info) == 0 ? info.st_mode : 0;
  }

  TempDir dir_;
  fs::path target_ = dir_.path() / "target", beside_ = dir_.path() / "beside",
           archive_ = dir_.path() / "archive";
  std::map<std::string, std::string> before_;
  ErrorCode code_ = ErrorCode::internal;
};

TEST_F(Unpack, EveryFormatGivesTheSameFiles) {
  for (const auto format : kFormats) {
    SCOPED_TRACE(to_string(format));
    empty_target();
    make(format, {{.path = "dir/", .type = 'd', .mode = 0750},
                  {.path = "dir/file", .content = "hello", .mode = 0600},
                  {.path = "./dot//run.sh", .content = "#!/bin/sh\n", .mode = 0755},
                  {.path = "gr\xc3\xbc\xc3\x9f", .content = "UTF-8"},
                  {.path = "dir/link", .type = 'l', .target = "../dot/./run.sh", .mode = 0777}});
    const auto report = unpack(archive_, target_);
    EXPECT_EQ(report.files, 3U);
    EXPECT_EQ(report.directories, 1U);
    EXPECT_EQ(report.links, 1U);
    EXPECT_EQ(report.bytes, 20U);
    EXPECT_EQ(text("dir/file"), "hello");
    EXPECT_EQ(text("gr\xc3\xbc\xc3\x9f"), "UTF-8");
    EXPECT_EQ(text("dir/link"), "#!/bin/sh\n");
    EXPECT_EQ(mode("dir"), S_IFDIR | 0750U);
    EXPECT_EQ(mode("dir/file"), S_IFREG | 0600U);
    EXPECT_EQ(mode("dot/run.sh"), S_IFREG | 0755U);
    struct stat info {};
    ASSERT_EQ(::stat((target_ / "dir" / "file").c_str(), &info), 0);
    EXPECT_EQ(info.st_mtim.tv_sec, 1'700'000'000);
    const auto list = list_archive(archive_);
    ASSERT_EQ(list.size(), 5U);
    EXPECT_EQ(list[1].path, "dir/file");
    EXPECT_EQ(list[1].bytes, 5U);
    EXPECT_EQ(list[4].type, 'l');
    EXPECT_EQ(list[4].target, "../dot/./run.sh");
  }
}

struct Hostile {
  const char* name;
  std::vector<MadeEntry> entries;
  const char* message;  // part of it
  bool only_tar = false;
};

const MadeEntry kLinkOut{.path = "out", .type = 'l', .target = "../beside"};

std::vector<Hostile> hostile_archives() {
  return {
      {"up at the beginning", {{.path = "../beside/x"}}, "'../beside/x' leads out"},
      {"up in the middle", {{.path = "a/../../beside/x"}}, "leads out"},
      {"up at the end", {{.path = "a/..", .type = 'd'}}, "leads out"},
      {"up and nothing else", {{.path = "..", .type = 'd'}}, "leads out"},
      {"up inside is refused too", {{.path = "a/../b"}}, "leads out"},
      {"absolute", {{.path = "/tmp/x"}}, "absolute"},
      {"absolute with two slashes", {{.path = "//tmp/x"}}, "absolute"},
      {"a drive", {{.path = "C:\\x"}}, "absolute"},
      {"a drive with a slash", {{.path = "c:/x"}}, "absolute"},
      {"up with backslashes", {{.path = "a\\..\\..\\x"}}, "leads out"},
      {"link out", {kLinkOut}, "'out' is a symbolic link to '../beside', out of"},
      {"absolute link", {{.path = "l", .type = 'l', .target = "/etc"}}, "out of the directory"},
      {"link out from deeper",
       {{.path = "a/b/l", .type = 'l', .target = "../../../beside"}},
       "out of the directory"},
      {"link to the directory itself, and a file through it",
       {{.path = "l", .type = 'l', .target = "."}, {.path = "l/file", .content = "x"}},
       "is a symbolic link of the archive"},
      {"link in, and a file through it",
       {{.path = "d/", .type = 'd'},
        {.path = "l", .type = 'l', .target = "d"},
        {.path = "l/x", .content = "x"}},
       "is a symbolic link of the archive"},
      {"chain that is inside name by name only",
       {{.path = "d", .type = 'l', .target = "."}, {.path = "e", .type = 'l', .target = "d/../beside"}},
       "out of the directory"},
      {"the same in the other order",
       {{.path = "e", .type = 'l', .target = "d/../beside"}, {.path = "d", .type = 'l', .target = "."}},
       "out of the directory"},
      {"directory over a link",
       {{.path = "l", .type = 'l', .target = "d"}, {.path = "l/", .type = 'd'}},
       "is twice"},
      {"file over a link",
       {{.path = "l", .type = 'l', .target = "d"}, {.path = "l", .content = "x"}},
       "is twice"},
      {"hard link out", {{.path = "h", .type = 'h', .target = "../beside/secret"}}, "leads out", true},
      {"absolute hard link", {{.path = "h", .type = 'h', .target = "/etc/passwd"}}, "absolute", true},
      {"hard link to nothing",
       {{.path = "h", .type = 'h', .target = "nothing"}},
       "no file that the archive",
       true},
      {"hard link to a symbolic link",
       {{.path = "l", .type = 'l', .target = "d"}, {.path = "h", .type = 'h', .target = "l"}},
       "no file that the archive",
       true},
      {"hard link to a directory",
       {{.path = "d/", .type = 'd'}, {.path = "h", .type = 'h', .target = "d"}},
       "no file that the archive",
       true},
      {"device", {{.path = "null", .type = 'c'}}, "neither file", true},
      {"FIFO", {{.path = "pipe", .type = 'p'}}, "neither file", true},
      {"the same twice", {{.path = "a", .content = "1"}, {.path = "a", .content = "2"}}, "'a' is twice"},
      {"the same twice, written otherwise", {{.path = "a/b"}, {.path = "./a//b"}}, "is twice"},
      {"a directory twice", {{.path = "a/", .type = 'd'}, {.path = "a/", .type = 'd'}}, "is twice"},
      {"case only",
       {{.path = "Readme"}, {.path = "README"}},
       "differs from 'Readme' in upper and lower case"},
      {"case of a directory", {{.path = "Src/a"}, {.path = "src/b"}}, "in upper and lower case"},
      {"file, then below it", {{.path = "a", .content = "x"}, {.path = "a/b"}}, "is no directory"},
      {"directory, then a file", {{.path = "a/b"}, {.path = "a", .content = "x"}}, "and something else too"},
      {"a file that is the directory itself", {{.path = ".", .content = "x"}}, "has no name"},
      {"a link that is the directory itself",
       {{.path = "./", .type = 'l', .target = "x"}},
       "has no name",
       true},
      {"a name too long for the disk", {{.path = std::string(300, 'n')}}, "File name too long"},
      {"a path too long", {{.path = std::string(5000, 'n')}}, "more than 4096 bytes"},
  };
}

TEST_F(Unpack, HostileEntriesAreRefusedByName) {
  for (const Hostile& hostile : hostile_archives()) {
    for (const auto format : {ArchiveFormat::tar, ArchiveFormat::zip}) {
      if (hostile.only_tar && format == ArchiveFormat::zip) continue;
      for (const bool overwrite : {false, true}) {
        SCOPED_TRACE(std::string(hostile.name) + " in a " + to_string(format));
        empty_target();
        make(format, hostile.entries);
        UnpackOptions options;
        options.overwrite = overwrite;
        const std::string message = refusal(options);
        EXPECT_NE(message.find(hostile.message), std::string::npos) << message;
        EXPECT_EQ(look_beside(), before_);
      }
    }
  }
}

TEST_F(Unpack, NothingOfARefusedEntryIsWritten) {
  for (const Hostile& hostile : hostile_archives()) {
    if (hostile.entries.size() != 1) continue;
    SCOPED_TRACE(hostile.name);
    empty_target();
    make(ArchiveFormat::tar, hostile.entries);
    EXPECT_NE(refusal(), "");
    EXPECT_TRUE(fs::is_empty(target_));
  }
}

TEST_F(Unpack, LinksOnDiskAreNotFollowed) {
  make(ArchiveFormat::tar, {{.path = "out/x", .content = "x"}});
  fs::create_directory_symlink(beside_, target_ / "out");
  for (const bool overwrite : {false, true}) {
    UnpackOptions options;
    options.overwrite = overwrite;
    EXPECT_NE(refusal(options), "");
  }
  make(ArchiveFormat::tar, {{.path = "out/", .type = 'd', .mode = 0777}});
  EXPECT_NE(refusal(), "");
  fs::remove(target_ / "out");
  fs::create_symlink(beside_ / "secret", target_ / "file");
  make(ArchiveFormat::tar, {{.path = "file", .content = "new"}});
  EXPECT_NE(refusal().find("'file': cannot make it: File exists"), std::string::npos) << refusal();
  UnpackOptions options;
  options.overwrite = true;
  EXPECT_EQ(refusal(options), "");
  EXPECT_EQ(mode("file"), S_IFREG | 0644U);
  EXPECT_EQ(text("file"), "new");
}

TEST_F(Unpack, OverwritingReplacesNamesAndNotWhatTheyAreLinkedTo) {
  write_file_atomic(target_ / "one", "old", 0644, false);
  fs::create_hard_link(target_ / "one", target_ / "two");
  make(ArchiveFormat::zip, {{.path = "one", .content = "new"}});
  EXPECT_NE(refusal(), "");
  EXPECT_EQ(text("one"), "old");
  UnpackOptions options;
  options.overwrite = true;
  unpack(archive_, target_, options);
  EXPECT_EQ(text("one"), "new");
  EXPECT_EQ(text("two"), "old");
  EXPECT_EQ(std::distance(fs::directory_iterator(target_), {}), 2);
}

TEST_F(Unpack, OnlyTheWantedEntriesAreWritten) {
  make(ArchiveFormat::zip,
       {{.path = "a/one", .content = "1"}, {.path = "ab", .content = "2"}, {.path = "c", .content = "3"}});
  UnpackOptions options;
  options.only = {"a", "./c"};
  EXPECT_EQ(unpack(archive_, target_, options).files, 2U);
  EXPECT_EQ(text("a/one"), "1");
  EXPECT_EQ(text("ab"), "(missing)");
}

TEST_F(Unpack, SpecialBitsAreDropped) {
  make(ArchiveFormat::tar,
       {{.path = "d/", .type = 'd', .mode = 06755}, {.path = "d/su", .content = "x", .mode = 06755}});
  unpack(archive_, target_);
  EXPECT_EQ(mode("d/su"), S_IFREG | 0755U);
  EXPECT_EQ(mode("d"), S_IFDIR | 0755U);
}

TEST_F(Unpack, DirectoriesGetTheirModesLast) {
  make(ArchiveFormat::tar, {{.path = "closed/", .type = 'd', .mode = 0},
                            {.path = "closed/below/", .type = 'd', .mode = 0500, .modified = 5},
                            {.path = "closed/below/file", .content = "x"}});
  unpack(archive_, target_);
  EXPECT_EQ(mode("closed"), S_IFDIR | 0U);
  fs::permissions(target_ / "closed", fs::perms(0700));
  EXPECT_EQ(mode("closed/below"), S_IFDIR | 0500U);
  EXPECT_EQ(text("closed/below/file"), "x");
  struct stat info {};
  ASSERT_EQ(::stat((target_ / "closed" / "below").c_str(), &info), 0);
  EXPECT_EQ(info.st_mtim.tv_sec, 5);
}

TEST_F(Unpack, NamesAreBytes) {
  for (const auto format : {ArchiveFormat::tar, ArchiveFormat::zip}) {
    SCOPED_TRACE(to_string(format));
    empty_target();
    make(format, {{.path = "latin-\xfc", .content = "1"}, {.path = "e\xcc\x81", .content = "2"}});
    EXPECT_EQ(refusal(), "");
    EXPECT_EQ(text("latin-\xfc"), "1");
    EXPECT_EQ(text("e\xcc\x81"), "2");
  }
}

TEST_F(Unpack, MessagesHaveNoControlCharactersOfNames) {
  make(ArchiveFormat::tar, {{.path = "../\x1b[2J\n\xff"}});
  const std::string message = refusal();
  EXPECT_NE(message.find("'../?[2J?\xef\xbf\xbd'"), std::string::npos) << message;
}

TEST_F(Unpack, HardLinksOfTheArchiveAreKept) {
  make(ArchiveFormat::tar,
       {{.path = "a/file", .content = "x"}, {.path = "b/link", .type = 'h', .target = "./a/file"}});
  EXPECT_EQ(unpack(archive_, target_).links, 1U);
  EXPECT_EQ(fs::hard_link_count(target_ / "b" / "link"), 2U);
}

TEST_F(Unpack, ZerosBecomeHoles) {
  make(
      ArchiveFormat::tar_gz,
      {{.path = "sparse", .content = "x" + std::string(4UL << 20U, '\0') + "y" + std::string(100000, '\0')}});
  unpack(archive_, target_);
  struct stat info {};
  ASSERT_EQ(::stat((target_ / "sparse").c_str(), &info), 0);
  EXPECT_EQ(info.st_size, (4 << 20) + 100002);
  EXPECT_LT(info.st_blocks * 512, 1 << 20);
  EXPECT_EQ(text("sparse")[(4UL << 20U) + 1], 'y');
}

TEST_F(Unpack, BombsAreRefused) {
  for (const char fill : {'a', '\0'}) {
    empty_target();
    make(ArchiveFormat::tar_zst, {{.path = "fill", .content = std::string(200UL << 20U, fill)}});
    EXPECT_NE(refusal().find("'fill' makes it more than 1000 times"), std::string::npos) << refusal();
    EXPECT_EQ(code_, ErrorCode::invalid_input);
  }
}

TEST_F(Unpack, LimitsCountAllEntries) {
  make(ArchiveFormat::zip,
       {{.path = "a", .content = std::string(600, 'a')}, {.path = "b", .content = std::string(600, 'b')}});
  UnpackOptions options;
  options.limits.bytes = 1000;
  EXPECT_NE(refusal(options).find("'b' makes it more than the 1000 B"), std::string::npos)
      << refusal(options);
  EXPECT_FALSE(fs::exists(target_ / "b"));
  empty_target();
  options.limits = {.entries = 1};
  EXPECT_NE(refusal(options).find("'b' is one more than the 1 entries"), std::string::npos);
  EXPECT_THROW(list_archive(archive_, options.limits), Error);
  EXPECT_EQ(list_archive(archive_).size(), 2U);
}

TEST_F(Unpack, DirectoriesInDirectoriesTakeNoEndlessMemory) {
  std::vector<MadeEntry> entries;
  for (int i = 0; i < 500; ++i) {
    std::string path = std::to_string(i);
    while (path.size() < 4000) path += "/d";
    entries.push_back({.path = path});
  }
  make(ArchiveFormat::tar_zst, entries);
  UnpackOptions options;
  options.limits.all_paths = 8U << 20U;
  EXPECT_NE(refusal(options).find("the paths of the archive take more than 8.0 MiB"), std::string::npos);
}

TEST_F(Unpack, ZipsWithDataDescriptorsAndLongFieldsAreRead) {
  for (const char* options : {"", "zip:zip64"}) {
    empty_target();
    make(ArchiveFormat::zip,
         {{.path = "a", .content = "descriptor", .has_size = false}, {.path = "b", .content = "known"}},
         options);
    EXPECT_EQ(refusal(), "");
    EXPECT_EQ(text("a"), "descriptor");
    EXPECT_EQ(text("b"), "known");
  }
}

TEST_F(Unpack, AZeroByteInANameWritesNothingElsewhere) {
  make(ArchiveFormat::zip,
       {{.path = "a@/../../beside/secret", .content = "x"}, {.path = "b@b", .content = "y"}});
  std::string bytes = *read_file(archive_);
  for (char& c : bytes)
    if (c == '@') c = '\0';
  write_file_atomic(archive_, bytes, 0644, false);
  static_cast<void>(refusal());
}

TEST_F(Unpack, AnEntryThatIsNotAsLongAsItSaysIsCorrupt) {
  make(ArchiveFormat::zip, {{.path = "a", .content = std::string(5000, 'a')}}, "zip:compression=store");
  const std::string bytes = *read_file(archive_);
  const auto local = bytes.find("PK\3\4"), directory = bytes.find("PK\1\2");
  ASSERT_NE(local, std::string::npos);
  ASSERT_NE(directory, std::string::npos);
  for (const int lie : {0, 1, 255}) {
    for (const std::size_t field : {20U, 24U}) {
      empty_target();
      std::string changed = bytes;
      changed[directory + field] = changed[local + field - 2] = static_cast<char>(lie);
      write_file_atomic(archive_, changed, 0644, false);
      EXPECT_NE(refusal(), "") << lie << " at " << field;
      EXPECT_EQ(code_, ErrorCode::corrupt);
    }
  }
}

TEST_F(Unpack, CutArchivesAreCorruptOrABeginning) {
  std::vector<MadeEntry> entries;
  for (int i = 0; i < 40; ++i)
    entries.push_back(
        {.path = "f" + std::to_string(i), .content = std::string(static_cast<std::size_t>(i) * 100, 'x')});
  for (const auto format : kFormats) {
    make(format, entries);
    const std::string bytes = *read_file(archive_);
    for (std::size_t part = 0; part < 20; ++part) {
      SCOPED_TRACE(to_string(format) + " cut at " + std::to_string(part) + "/20");
      empty_target();
      write_file_atomic(archive_, bytes.substr(0, bytes.size() * part / 20), 0644, false);
      const std::string message = refusal();
      if (format != ArchiveFormat::tar) {
        EXPECT_NE(message, "");
      }
      if (!message.empty()) {
        EXPECT_EQ(code_, ErrorCode::corrupt) << message;
      }
      EXPECT_EQ(look_beside(), before_);
    }
  }
}

TEST_F(Unpack, WhatIsNoArchiveIsCorruptAndWhatIsMissingNotFound) {
  EXPECT_NE(refusal().find("No such file"), std::string::npos);
  EXPECT_EQ(code_, ErrorCode::not_found);
  write_file_atomic(archive_, "this is a text and no archive, whatever it is called", 0644, false);
  EXPECT_NE(refusal().find("cannot unpack '"), std::string::npos);
  EXPECT_EQ(code_, ErrorCode::corrupt);
}

TEST_F(Unpack, ADiskThatIsFullIsSaidWithTheEntry) {
  make(ArchiveFormat::tar,
       {{.path = "small", .content = "fits"}, {.path = "big", .content = std::string(1UL << 20U, 'x')}});
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{64UL << 10U, 64UL << 10U};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const std::string message = refusal();
    ::_exit(message.find("entry 'big': cannot write it: File too large") != std::string::npos ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(text("small"), "fits");
}

}  // namespace
}  // namespace runner
