// Which files a build sees, and what their key is.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>

#include "builds/build_context.h"
#include "builds/context_files.h"
#include "builds/context_key.h"
#include "builds/context_tar.h"
#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/text.h"

namespace runner::builds {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

struct IgnoreCase {
  const char* rules;
  const char* path;
  bool ignored;
};

TEST(IgnoreRules, DecideAsDockersDo) {
  const IgnoreCase cases[] = {
      {"", "a", false},
      {"# a\n", "a", false},
      {"a", "a", true},
      {"/a/", "a", true},
      {"./a", "a", true},
      {"b/../a", "a", true},
      {"a", "b/a", false},
      {"a", "a/b/c", true},
      {"*.log", "x.log", true},
      {"*.log", "d/x.log", false},
      {"*/x.log", "d/x.log", true},
      {"*/x.log", "d/e/x.log", false},
      {"**/x.log", "x.log", true},
      {"**/x.log", "d/e/x.log", true},
      {"**/x.log", "d/ex.log", false},
      {"a/**", "a/b/c", true},
      {"a/**", "a", false},
      {"a/**/z", "a/z", true},
      {"a/**/z", "a/b/c/z", true},
      {"**", "a/b", true},
      {"?.c", "a.c", true},
      {"?.c", "\xC3\xA4.c", true},
      {"?.c", "ab.c", false},
      {"[a-c]x", "bx", true},
      {"[^a-c]x", "bx", false},
      {"[^a-c]x", "dx", true},
      {"\\*", "*", true},
      {"\\*", "a", false},
      {"*\n!a", "a", false},
      {"*\n!a", "b", true},
      {"!a\n*", "a", true},
      {"a\n!a/b", "a/b", false},
      {"a\n!a/b", "a/c", true},
      {"a\n!a/b\na/b/x", "a/b/x", true},
      {"  *.md  \r\n!README.md", "README.md", false},
      {"Makefile*", "Makefile.am", true},
  };
  for (const IgnoreCase& each : cases) {
    const IgnoreRules rules(each.rules, ".dockerignore");
    IgnoreRules::Matches matches;
    std::string path;
    for (const auto part : split(std::string_view(each.path), '/')) {
      path += (path.empty() ? "" : "/") + std::string(part);
      matches = rules.match(path, matches);
    }
    EXPECT_EQ(rules.ignores(matches), each.ignored) << each.rules << " : " << each.path;
  }
}

TEST(IgnoreRules, FaultsHaveALine) {
  for (const char* text : {"a\n[b", "a\nb\\", "a\n!"}) {
    try {
      const IgnoreRules rules(text, "web/.dockerignore");
      FAIL() << text;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr("web/.dockerignore:2: ")) << text;
    }
  }
}

TEST(IgnoreRules, NoPatternTakesLong) {
  std::string pattern, path;
  for (int i = 0; i < 200; ++i) pattern += "*a**/";
  for (int i = 0; i < 2000; ++i) path += 'a';
  const IgnoreRules rules(pattern + "b", ".dockerignore");
  EXPECT_FALSE(rules.ignores(rules.match(path, {})));
}

class Context : public testing::Test {
 protected:
  void put(const std::string& path, const std::string& content, unsigned mode = 0644) const {
    make_directories((dir_.path() / path).parent_path());
    write_file_atomic(dir_.path() / path, content, mode, false);
    ::chmod((dir_.path() / path).c_str(), mode);
  }
  UniqueFd open() const { return UniqueFd(::open(dir_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)); }
  std::string key(const std::string& rules = "") const {
    const UniqueFd fd = open();
    return read_context_key(fd.get(), IgnoreRules(rules, "x")).digest;
  }
  std::vector<std::string> seen(const std::string& rules = "") const {
    std::vector<std::string> paths;
    const UniqueFd fd = open();
    walk_context(fd.get(), IgnoreRules(rules, "x"),
                 [&](const ContextEntry& entry) { paths.push_back(entry.path); });
    return paths;
  }
  std::string refusal(const BuildRequest& request) const {
    try {
      open_context(request);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_input);
      return error.what();
    }
    return "";
  }
  const fs::path& top() const { return dir_.path(); }

 private:
  TempDir dir_;
};

TEST_F(Context, FilesAreSeenInOrderAndLinksAreNotFollowed) {
  put("b/c", "1");
  put("a", "2");
  put("b.txt", "3");
  fs::create_directory_symlink("/etc", top() / "out");
  EXPECT_THAT(seen(), ElementsAre("a", "b", "b/c", "b.txt", "out"));
  EXPECT_THAT(seen("b\n!b/c"), ElementsAre("a", "b", "b/c", "b.txt", "out"));
  EXPECT_THAT(seen("b"), ElementsAre("a", "b.txt", "out"));
  EXPECT_THAT(seen("*\n!b.*"), ElementsAre("b.txt"));
}

TEST_F(Context, TheKeyChangesWithWhatABuildSees) {
  put("a", "1");
  put("b/c", "2");
  const std::string before = key();
  EXPECT_EQ(key(), before);
  EXPECT_EQ(::utimensat(AT_FDCWD, (top() / "a").c_str(), nullptr, 0), 0);
  EXPECT_EQ(key(), before) << "times are no input";
  put("a", "x");
  const std::string content = key();
  EXPECT_NE(content, before);
  put("a", "1", 0755);
  const std::string mode = key();
  EXPECT_NE(mode, before);
  put("a", "1");
  EXPECT_EQ(key(), before);
  fs::create_symlink("a", top() / "l");
  const std::string link = key();
  EXPECT_NE(link, before);
  fs::remove(top() / "l");
  fs::create_symlink("b", top() / "l");
  EXPECT_NE(key(), link);
  EXPECT_EQ(key("l"), before);
  put("b/x.log", "noise");
  EXPECT_EQ(key("l\n**/*.log"), before) << "what is ignored is no input";
  fs::create_directory(top() / "empty");
  EXPECT_NE(key("l\n**/*.log"), before) << "a build can copy an empty directory";
}

TEST_F(Context, PipesAndUnreadableFilesHangNothing) {
  put("a", "1");
  ASSERT_EQ(::mkfifo((top() / "pipe").c_str(), 0600), 0);
  EXPECT_THAT(seen(), ElementsAre("a"));
  EXPECT_EQ(key().size(), 64U);
}

TEST_F(Context, DeepNestingIsRefusedAndNotSurvivedByLuck) {
  fs::path deep = top();
  for (int i = 0; i < 300; ++i) fs::create_directory(deep /= "d");
  try {
    key();
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("deeper than 256"));
  }
}

TEST_F(Context, NothingOutsideOfTheWorkspaceIsRead) {
  put("w/Dockerfile", "FROM a\n");
  put("secret/Dockerfile", "FROM b\n");
  fs::create_directory_symlink("../secret", top() / "w/out");
  fs::create_directory_symlink("sub", top() / "w/in");
  put("w/sub/Dockerfile", "FROM c\n");
  fs::create_symlink("../../secret/Dockerfile", top() / "w/sub/Linked");
  fs::create_symlink("/etc/passwd", top() / "w/sub/Absolute");
  BuildRequest request;
  request.workspace = top() / "w";
  EXPECT_EQ(open_context(request).dockerfile, "FROM a\n");
  for (const char* context : {"..", "out", "/", "../secret", "in/../../secret"}) {
    request.context = context;
    EXPECT_THAT(refusal(request), HasSubstr("leads out of the workspace")) << context;
  }
  request.context = "in";
  EXPECT_EQ(open_context(request).dockerfile, "FROM c\n");
  EXPECT_EQ(open_context(request).path, fs::canonical(top() / "w/sub"));
  for (const char* file : {"Linked", "Absolute", "../../secret/Dockerfile"}) {
    request.dockerfile = file;
    EXPECT_THAT(refusal(request), HasSubstr("leads out of the workspace")) << file;
  }
  request.dockerfile = "None";
  EXPECT_THAT(refusal(request), HasSubstr("there is no file 'None' in the context 'in'"));
  request.dockerfile = "";
  request.context = "none";
  EXPECT_THAT(refusal(request), HasSubstr("there is no context 'none'"));
}

TEST_F(Context, UsualNamesAreFoundAndTheNearerIgnoreFileCounts) {
  put("Containerfile", "FROM a\n");
  put("x.Dockerfile", "FROM b\n");
  put(".dockerignore", "one");
  put("x.Dockerfile.dockerignore", "two");
  BuildRequest request;
  request.workspace = top();
  BuildContext context = open_context(request);
  EXPECT_EQ(context.dockerfile_name, "Containerfile");
  EXPECT_EQ(context.ignore_text, "one");
  request.dockerfile = "x.Dockerfile";
  context = open_context(request);
  EXPECT_EQ(context.dockerfile, "FROM b\n");
  EXPECT_EQ(context.ignore_text, "two");
}

TEST_F(Context, AnArchiveHasTheSameFiles) {
  const std::string deep = "d/" + std::string(120, 'n') + "/" + std::string(120, 'm');
  put("a", "hello", 0755);
  put(deep, std::string(100'000, 'x'));
  put("ignored.log", "no");
  fs::create_symlink(std::string(150, 't'), top() / "link");
  const UniqueFd fd = open();
  const IgnoreRules rules("*.log", "x");
  std::string bytes;
  {
    ContextTar tar(fd.get(), rules, {{".added", "secret", 0600}}, 1700000000);
    char piece[4096];
    while (const std::size_t got = tar.read(piece, sizeof piece)) bytes.append(piece, got);
  }
  const TempDir out;
  std::ofstream(out.path() / "x.tar", std::ios::binary) << bytes;
  fs::create_directory(out.path() / "x");
  ASSERT_EQ(
      std::system(
          ("tar -C " + (out.path() / "x").native() + " -xpf " + (out.path() / "x.tar").native()).c_str()),
      0);
  EXPECT_EQ(read_file(out.path() / "x/a"), "hello");
  EXPECT_EQ(fs::status(out.path() / "x/a").permissions(), fs::perms(0755));
  EXPECT_EQ(read_file(out.path() / "x" / deep), std::string(100'000, 'x'));
  EXPECT_EQ(fs::read_symlink(out.path() / "x/link"), std::string(150, 't'));
  EXPECT_EQ(read_file(out.path() / "x/.added"), "secret");
  EXPECT_FALSE(fs::exists(out.path() / "x/ignored.log"));
}

TEST_F(Context, AnArchiveThatNobodyReadsEnds) {
  put("a", std::string(1'000'000, 'x'));
  const UniqueFd fd = open();
  const IgnoreRules rules;
  ContextTar tar(fd.get(), rules, {}, 0);
  char piece[10];
  EXPECT_GT(tar.read(piece, sizeof piece), 0U);
}

TEST_F(Context, AHundredThousandFilesHaveAKey) {
  for (int i = 0; i < 100; ++i) {
    const fs::path dir = top() / std::to_string(i);
    fs::create_directory(dir);
    for (int j = 0; j < 1000; ++j)
      UniqueFd(::open((dir / std::to_string(j)).c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
  }
  const UniqueFd fd = open();
  EXPECT_EQ(read_context_key(fd.get(), {}).files, 100'000U);
}

}  // namespace
}  // namespace runner::builds
