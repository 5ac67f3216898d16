#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cache/layer_pack.h"
#include "cache/pax_header.h"
#include "cache/zstd_stream.h"
#include "runner/base/digest.h"
#include "runner/base/error.h"
#include "runner/base/fd.h"
#include "runner/base/files.h"
#include "tests/cache/layer_trees.h"
#include "tests/cache/trees.h"

namespace runner::cache {
namespace {

namespace fs = std::filesystem;
using namespace testing;

class LayerUnpack : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const auto& path : {tree_, out_, beside_}) fs::create_directory(path);
    put(beside_ / "secret", "secret");
  }
  void TearDown() override {
    EXPECT_EQ(read_file(beside_ / "secret"), "secret");
    EXPECT_EQ(std::distance(fs::directory_iterator(beside_), {}), 1);
  }

  void empty_out() {
    remove_tree(out_);
    fs::create_directory(out_);
  }

  /// Packs a stream that anybody may have made up; its digest.
  std::string pack(const std::string& stream) {
    const UniqueFd file(::open(packed_.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0644));
    ZstdWriter writer(file.get(), 1);
    writer.write(stream);
    writer.finish();
    return "sha256:" + sha256_hex(stream);
  }

  /// The message; "" when it was taken.
  std::string refusal(const std::string& digest, const UnpackLimits& limits = {}) {
    try {
      read_packed_layer(packed_, digest, out_, limits);
      return "";
    } catch (const Error& error) {
      code_ = error.code();
      return error.what();
    }
  }

  TempDir dir_;
  fs::path tree_ = dir_.path() / "tree", out_ = dir_.path() / "out", beside_ = dir_.path() / "beside";
  fs::path packed_ = dir_.path() / "packed";
  ErrorCode code_ = ErrorCode::internal;
};

const std::string kEnd(1024, '\0');

std::string entry(PaxEntry made, const std::string& content = "") {
  if (!content.empty()) made.size = content.size();
  std::string out;
  append_pax_header(made, out);
  out += content;
  out.append(padding_of(content.size()), '\0');
  return out;
}

PaxEntry plain(const std::string& path, char type = '0', const std::string& target = "") {
  PaxEntry made;
  made.path = path;
  made.type = type;
  made.mode = 0644;
  made.target = target;
  return made;
}

TEST_F(LayerUnpack, WhatComesOutIsWhatWentIn) {
  make_sample_layer(tree_);
  const PackedLayer packed = write_packed_layer(tree_, packed_);
  EXPECT_EQ(packed.digest, layer_digest(tree_));
  EXPECT_EQ(packed.bytes, fs::file_size(packed_));
  read_packed_layer(packed_, packed.digest, out_, {});
  EXPECT_EQ(layer_digest(out_), packed.digest);
  EXPECT_EQ(first_difference(snapshot_of(tree_), snapshot_of(out_)), "");
  EXPECT_EQ(fs::hard_link_count(out_ / "linked.txt"), 2U);
  struct stat info {};
  ASSERT_EQ(::stat((out_ / "sparse").c_str(), &info), 0);
  EXPECT_LT(info.st_blocks * 512, 1 << 20);
  ASSERT_EQ(::lstat((out_ / ".wh.gone").c_str(), &info), 0);
  EXPECT_TRUE(S_ISCHR(info.st_mode));
}

TEST_F(LayerUnpack, BigFilesComeBackWhole) {
  std::string content;
  for (std::uint32_t i = 0; content.size() < (5U << 20U); ++i)
    content += std::to_string(i * 2654435761U) + "\n";
  put(tree_ / "big", content);
  put(tree_ / "holes", content.substr(0, 70000) + std::string(1U << 20U, '\0') + content.substr(0, 70001));
  const auto packed = write_packed_layer(tree_, packed_);
  read_packed_layer(packed_, packed.digest, out_, {});
  EXPECT_EQ(read_file(out_ / "big"), content);
  EXPECT_EQ(layer_digest(out_), packed.digest);
}

TEST_F(LayerUnpack, AnotherDigestIsCorruptAndNamed) {
  put(tree_ / "a", "x");
  const auto packed = write_packed_layer(tree_, packed_);
  std::string other = packed.digest;
  other.back() = other.back() == '0' ? '1' : '0';
  EXPECT_NE(refusal(other).find(packed.digest), std::string::npos);
  EXPECT_EQ(code_, ErrorCode::corrupt);
}

TEST_F(LayerUnpack, CutFilesAreCorrupt) {
  make_sample_layer(tree_);
  const auto packed = write_packed_layer(tree_, packed_);
  const std::string bytes = *read_file(packed_);
  for (std::size_t part = 0; part < 20; ++part) {
    empty_out();
    write_file_atomic(packed_, bytes.substr(0, bytes.size() * part / 20), 0644, false);
    EXPECT_NE(refusal(packed.digest), "") << part;
    EXPECT_EQ(code_, ErrorCode::corrupt) << part;
  }
  empty_out();
  write_file_atomic(packed_, bytes, 0644, false);
  EXPECT_EQ(refusal(packed.digest), "");
}

TEST_F(LayerUnpack, CutStreamsAreCorruptThoughTheirDigestIsRight) {
  make_sample_layer(tree_);
  std::string stream;
  pack_layer(tree_, [&stream](std::string_view bytes) { stream += bytes; });
  for (std::size_t size = 0; size < stream.size() && size < 40000; size += 256) {
    empty_out();
    const std::string digest = pack(stream.substr(0, size));
    EXPECT_NE(refusal(digest), "") << size;
    EXPECT_EQ(code_, ErrorCode::corrupt) << size;
  }
  const std::string digest = pack(stream + "x");
  empty_out();
  EXPECT_NE(refusal(digest).find("after its end"), std::string::npos);
}

TEST_F(LayerUnpack, WhatNoLayerHasIsRefusedByName) {
  PaxEntry set_attribute = plain("a");
  set_attribute.attributes = {{"user.overlay.redirect", "/etc"}};
  PaxEntry capability = plain("a");
  capability.attributes = {{"security.capability", "x"}};
  const struct {
    const char* name;
    std::string stream;
    const char* message;
  } cases[] = {
      {"up", entry(plain("../beside/x"), "x"), "'../beside/x' leads out"},
      {"absolute", entry(plain("/tmp/x"), "x"), "absolute"},
      {"up in a directory", entry(plain("a/../../beside/", '5')), "leads out"},
      {"through a link", entry(plain("l", '2', "../beside")) + entry(plain("l/secret"), "x"),
       "is a symbolic link"},
      {"hard link out", entry(plain("h", '1', "../beside/secret")), "leads out"},
      {"hard link through a link", entry(plain("l", '2', "../beside")) + entry(plain("h", '1', "l/secret")),
       "no file that the archive"},
      {"hard link to a link", entry(plain("l", '2', "../beside/secret")) + entry(plain("h", '1', "l")),
       "no file that the archive"},
      {"device", entry(plain("d", '3')), "neither file"},
      {"unknown type", entry(plain("d", 'V')), "neither file"},
      {"global header", entry(plain("g", 'g')), "neither file"},
      {"the same twice", entry(plain("a")) + entry(plain("a")), "is twice"},
      {"a whiteout over a file", entry(plain("a")) + entry(plain(".wh.a")), "is twice"},
      {"whiteout of the directory above", entry(plain("d/.wh...")), "such a mark"},
      {"whiteout of the directory", entry(plain("d/.wh..")), "such a mark"},
      {"whiteout without a name", entry(plain(".wh.")), "such a mark"},
      {"whiteout with content", entry(plain(".wh.a"), "x"), "a mark with content"},
      {"reserved mark", entry(plain(".wh..wh.plnk")), "such a mark"},
      {"below a mark", entry(plain(".wh.a/b")), "such a name"},
      {"mark of overlayfs", entry(set_attribute), "no layer has an attribute 'user.overlay.redirect'"},
      {"capability", entry(capability), "no layer has an attribute 'security.capability'"},
      {"content of a link", entry(plain("l", '2', "x"), "content"), "content in what is no file"},
  };
  for (const auto& hostile : cases) {
    SCOPED_TRACE(hostile.name);
    empty_out();
    const std::string message = refusal(pack(hostile.stream + kEnd));
    EXPECT_NE(message.find(hostile.message), std::string::npos) << message;
    EXPECT_EQ(code_, ErrorCode::invalid_input);
  }
}

TEST_F(LayerUnpack, SpecialBitsAreDropped) {
  PaxEntry made = plain("su");
  made.mode = 06755;
  EXPECT_EQ(refusal(pack(entry(made, "x") + kEnd)), "");
  struct stat info {};
  ASSERT_EQ(::stat((out_ / "su").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode, S_IFREG | 0755U);
}

TEST_F(LayerUnpack, LayersMayHaveLinksToAnywhereAndNamesOfOneCase) {
  EXPECT_EQ(refusal(pack(entry(plain("A")) + entry(plain("a")) + entry(plain("l", '2', "/usr/bin/python3")) +
                         kEnd)),
            "");
  EXPECT_EQ(fs::read_symlink(out_ / "l"), "/usr/bin/python3");
}

TEST_F(LayerUnpack, BombsAreRefusedAndHolesAreNone) {
  EXPECT_NE(refusal(pack(entry(plain("a"), std::string(100U << 20U, 'a')) + kEnd)).find("times the size"),
            std::string::npos);
  empty_out();
  EXPECT_EQ(refusal(pack(entry(plain("a"), std::string(100U << 20U, '\0')) + kEnd)), "");
  empty_out();
  UnpackLimits limits;
  limits.bytes = 1000;
  PaxEntry huge = plain("a");
  huge.size = 1ULL << 60U;
  EXPECT_NE(refusal(pack(entry(huge) + kEnd), limits).find("more than the 1000 B"), std::string::npos);
}

TEST_F(LayerUnpack, DamagedHeadersAreCorrupt) {
  std::string stream = entry(plain("a"), "x") + kEnd;
  stream[0] = 'b';
  EXPECT_NE(refusal(pack(stream)).find("checksum"), std::string::npos);
  EXPECT_EQ(code_, ErrorCode::corrupt);
}

TEST_F(LayerUnpack, AFailedPackLeavesNothing) {
  put(tree_ / "a", "x");
  EXPECT_THROW(write_packed_layer(tree_, packed_, 3, [] { return true; }), Error);
  EXPECT_EQ(std::distance(fs::directory_iterator(dir_.path()), {}), 3);
}

}  // namespace
}  // namespace runner::cache
