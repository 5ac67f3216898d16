// Releases come to a host whole or not at all.
#include <sys/mount.h>
#include <unistd.h>

#include <thread>

#include "runner/base/digest.h"
#include "runner/base/text.h"
#include "tests/deployments/targets/ssh_fixture.h"

namespace runner::deployments {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

struct SshPrepareTest : SshTest {
  std::vector<std::string> releases() const {
    std::vector<std::string> names;
    if (fs::exists(root() / "releases"))
      for (const auto& entry : fs::directory_iterator(root() / "releases"))
        names.push_back(entry.path().filename());
    return names;
  }
  /// An archive made by a shell command that gets its path as $out.
  Release made(const std::string& kind, const std::string& command) const {
    const fs::path archive = top.path() / ("made." + kind);
    fs::remove(archive);
    shell("cd " + top.path().string() + " && out=" + archive.string() + " && " + command + " 2>&1");
    Release release;
    release.id = "0123456789abcdef";
    release.artifact = file_of("made." + kind, archive);
    return release;
  }
};

TEST_F(SshPrepareTest, UnpacksEachKindOfArchiveAndPutsTheConfigurationBeside) {
  const auto target = claimed(1, "d1");
  for (const char* kind : {"tar", "tar.gz", "tar.zst", "zip"}) {
    const Release one = release(std::string("of ") + kind, kind);
    EXPECT_FALSE(target->is_prepared(unit(), one.id, never));
    ASSERT_EQ(error_of([&] { target->prepare(unit(), one, never); }), "") << kind;
    EXPECT_EQ(error_of([&] { target->prepare(unit(), one, never); }), "") << kind;
    EXPECT_TRUE(target->is_prepared(unit(), one.id, never));
    const fs::path there = root() / "releases" / one.id;
    EXPECT_EQ(read_file(there / "version"), "of " + std::string(kind) + "\n");
    EXPECT_EQ(read_file(there / "etc/shop.env"), "NAME=of " + std::string(kind) + "\n");
    EXPECT_EQ(::access((there / "bin/run").c_str(), X_OK), 0);
  }
  Release only_config;
  only_config.id = "aaaaaaaaaaaa";
  for (const std::size_t size : {0U, 1U, 255U, 256U, 65536U, 200'001U}) {
    const fs::path local = top.path() / ("config" + std::to_string(size));
    write_file_atomic(local, std::string(size, 'x'), 0644, false);
    only_config.config.push_back(file_of("a b/it's $HOME " + std::to_string(size), local));
  }
  target->prepare(unit(), only_config, never);
  for (const ReleaseFile& file : only_config.config)
    EXPECT_EQ(read_file(root() / "releases/aaaaaaaaaaaa" / file.path), read_file(file.local)) << file.path;
  EXPECT_EQ(releases().size(), 5U);
}

TEST_F(SshPrepareTest, RefusesWhatIsNotWhole) {
  const auto target = claimed(1, "d1");
  for (const char* kind : {"tar.gz", "tar.zst", "zip"}) {
    Release cut = release("cut", kind);
    fs::resize_file(cut.artifact->local, fs::file_size(cut.artifact->local) / 2);
    EXPECT_THAT(error_of([&] { target->prepare(unit(), cut, never); }), HasSubstr("cannot be deployed"))
        << kind;
  }
  Release other = release("one");
  other.artifact->sha256 = sha256_hex("another");
  EXPECT_THAT(error_of([&] { target->prepare(unit(), other, never); }),
              AllOf(StartsWith("corrupt: host '" + unit()), HasSubstr("another digest")));
  Release changed = release("one");
  changed.config[0].sha256 = sha256_hex("another");
  EXPECT_THAT(error_of([&] { target->prepare(unit(), changed, never); }),
              HasSubstr("'shop.env' came with another digest"));
  Release gone = release("one");
  gone.config[0].local = "/nonexistent";
  EXPECT_THAT(error_of([&] { target->prepare(unit(), gone, never); }), StartsWith("not_found: "));
  EXPECT_THAT(releases(), IsEmpty());
  EXPECT_EQ(error_of([&] { target->prepare(unit(), release("one"), never); }), "");
}

TEST_F(SshPrepareTest, RefusesArchivesThatClimbOut) {
  const auto target = claimed(1, "d1");
  const auto refused = [&](const Release& release) {
    return error_of([&] { target->prepare(unit(), release, never); });
  };
  shell("cd " + top.path().string() + " && echo x > out && mkdir -p in && ln -s ../../etc in/link && ln -s " +
        top.path().string() + " in/absolute");
  const std::string python = "python3 -c \"import tarfile,io,sys\nt=tarfile.open('$out','w')\n";
  const auto member = [&](const std::string& lines) { return python + lines + "\nt.close()\""; };
  EXPECT_THAT(refused(made("tar", "tar -P -cf $out ../$(basename $PWD)/out")), StartsWith("invalid_input: "));
  EXPECT_THAT(refused(made("tar", "tar -P -cf $out $PWD/out")), StartsWith("invalid_input: "));
  EXPECT_THAT(refused(made("tar", "tar -C in -cf $out link")), HasSubstr("symbolic link that leads out"));
  EXPECT_THAT(refused(made("tar", "tar -C in -cf $out absolute")), HasSubstr("symbolic link that leads out"));
  EXPECT_THAT(
      refused(made("tar", member("i=tarfile.TarInfo('a');i.type=tarfile.SYMTYPE;i.linkname='b';t.addfile(i)\n"
                                 "t.addfile(tarfile.TarInfo('a/c'))"))),
      StartsWith("invalid_input: "));
  EXPECT_THAT(
      refused(made(
          "tar", member("i=tarfile.TarInfo('a');i.type=tarfile.LNKTYPE;i.linkname='../../x';t.addfile(i)"))),
      StartsWith("invalid_input: "));
  EXPECT_THAT(refused(made("tar", member("i=tarfile.TarInfo('a');i.type=tarfile.CHRTYPE;t.addfile(i)"))),
              HasSubstr("neither a file nor a directory nor a link"));
  EXPECT_THAT(
      refused(made(
          "zip",
          "python3 -c \"import zipfile\nz=zipfile.ZipFile('$out','w')\nz.writestr('../x','y')\nz.close()\"")),
      StartsWith("invalid_input: "));
  EXPECT_THAT(refused(made("bin", "echo hello > $out")), HasSubstr("is no archive"));
  Release bad = release("one");
  bad.config[0].path = "../x";
  EXPECT_THAT(refused(bad), StartsWith("invalid_input: "));
  bad = release("one");
  bad.id = "../../../etc";
  EXPECT_THAT(refused(bad), HasSubstr("a release is named by"));
  bad = release("one");
  bad.image = "shop@sha256:00";
  EXPECT_THAT(refused(bad), HasSubstr("take an artifact"));
  EXPECT_THAT(releases(), IsEmpty());
}

TEST_F(SshPrepareTest, LeavesNothingOnADiskThatIsFull) {
  fs::remove_all(root());
  make_directories(root());
  if (::mount("none", root().c_str(), "tmpfs", 0, "size=1m") != 0)
    GTEST_SKIP() << "needs root, to mount a small disk";
  const auto target = claimed(1, "d1");
  // Bytes that cannot be compressed: too big as they come; then small as they come, and too big unpacked.
  shell("cd " + top.path().string() +
        " && mkdir -p big zeros && head -c 3000000 /dev/urandom > big/file && "
        "head -c 3000000 /dev/zero > zeros/file");
  for (const char* tree : {"big", "zeros"}) {
    const Release full = made("tar.gz", std::string("tar -czf $out -C ") + tree + " .");
    EXPECT_THAT(error_of([&] { target->prepare(unit(), full, never); }),
                AllOf(StartsWith("unavailable: host '" + unit()), HasSubstr("No space left on device")))
        << tree;
    EXPECT_THAT(releases(), IsEmpty()) << tree;
    EXPECT_FALSE(target->is_prepared(unit(), full.id, never));
  }
  EXPECT_EQ(error_of([&] { target->prepare(unit(), release("small"), never); }), "");
  ::umount2(root().c_str(), MNT_DETACH);
}

TEST_F(SshPrepareTest, LeavesNothingOfWhatWasCutOff) {
  const auto target = claimed(1, "d1");
  shell("cd " + top.path().string() + " && mkdir -p big && head -c 60000000 /dev/urandom > big/file");
  const Release big = made("tar", "tar -cf $out -C big .");
  std::stop_source stop;
  std::thread stops([&] {
    while (!fs::exists(root() / "releases" / (big.id + ".part") / "archive")) std::this_thread::yield();
    stop.request_stop();
  });
  EXPECT_EQ(error_of([&] { target->prepare(unit(), big, stop.get_token()); }), "cancelled: cancelled");
  stops.join();
  // The next verb waits for the lock, which the one that was cut off has until it has cleaned up.
  target->claim(unit(), fence_of(1, "d1"), milliseconds(10'000), never);
  EXPECT_THAT(releases(), IsEmpty());
  // What a host that lost its power was left with goes as well.
  make_directories(root() / "releases/0123456789abcdef.part/tree");
  target->claim(unit(), fence_of(1, "d1"), milliseconds(10'000), never);
  EXPECT_THAT(releases(), IsEmpty());
}

}  // namespace
}  // namespace runner::deployments
