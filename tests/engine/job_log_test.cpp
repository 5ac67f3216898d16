#include "runner/engine/job_log.h"

#include <gmock/gmock.h>

#include "runner/base/files.h"
#include "runner/engine/cache_keys.h"

namespace runner::engine {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const SystemClock kClock;

void print(JobLog& log, const std::string& text) {
  log.write(executors::Stream::out, std::as_bytes(std::span(text.data(), text.size())));
}

TEST(JobLog, FullDiskIsRememberedAndToldAtTheEnd) {
  JobLog log({"/dev/full", 0, {}}, kClock);
  print(log, "one\n");
  print(log, "two\n");
  EXPECT_THAT(log.finish(), HasSubstr("No space left on device"));
}

TEST(JobLog, FullDiskIsWaitedForAsLongAsItMay) {
  int asked = 0;
  JobLog log({"/dev/full", 0, {}, [&] { return ++asked < 3; }}, kClock);
  print(log, "one\n");
  EXPECT_EQ(asked, 3);
  EXPECT_THAT(log.finish(), HasSubstr("No space left on device"));
  EXPECT_EQ(asked, 3) << "a failure is final";
}

TEST(JobLog, IndexHasTheOffsetOfEveryThousandthLine) {
  const TempDir dir;
  JobLog log({dir.path() / "1.log", 0, {}}, kClock);
  for (int i = 0; i < 2500; ++i) print(log, "ab\n");
  EXPECT_EQ(log.finish(), "");
  const std::string index = read_file(dir.path() / "1.log.idx").value();
  ASSERT_EQ(index.size(), 16U);
  EXPECT_EQ(static_cast<unsigned char>(index[0]) + 256 * static_cast<unsigned char>(index[1]), 3000);
  EXPECT_EQ(static_cast<unsigned char>(index[8]) + 256 * static_cast<unsigned char>(index[9]), 6000);
}

TEST(JobLog, OwnLinesBeginOnALineOfTheirOwn) {
  const TempDir dir;
  std::string seen;
  JobLog log({dir.path() / "1.log", 0, [&](std::string_view bytes) { seen += bytes; }}, kClock);
  print(log, "no newline");
  log.line("mine");
  EXPECT_EQ(log.finish(), "");
  EXPECT_EQ(read_file(dir.path() / "1.log"), "no newline\nmine\n");
  EXPECT_EQ(seen, "no newline\nmine\n");
}

CacheKeyFacts facts(std::map<std::string, std::string> blobs) {
  CacheKeyFacts facts;
  facts.expand = [](std::string_view text) { return std::string(text); };
  facts.blob_id = [blobs](std::string_view path) -> std::optional<std::string> {
    const auto found = blobs.find(std::string(path));
    return found == blobs.end() ? std::nullopt : std::optional(found->second);
  };
  return facts;
}

TEST(CacheKeys, FilesGiveTheDigestOfTheirBlobs) {
  pipelines::CacheSpec spec;
  spec.key.files = {"hello.txt", "dir/empty.lock.json"};
  const auto known = facts({{"hello.txt", "ce013625030ba8dba906f756967f9e9ca394464a"},
                            {"dir/empty.lock.json", "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"}});
  EXPECT_EQ(cache_keys(spec, 1, known).key,
            "1_hello_empty-b7a9a04358a713b450e89c06fede85439b207aef-non_protected");
  spec.key.prefix = "p";
  EXPECT_EQ(cache_keys(spec, 1, known).key, "p-b7a9a04358a713b450e89c06fede85439b207aef-non_protected");
  EXPECT_EQ(cache_keys(spec, 1, facts({})).key, "p-default-non_protected");
}

TEST(CacheKeys, LookupOrderIsKeyThenFallbacksThenTheVariable) {
  pipelines::CacheSpec spec;
  spec.key.text = "k";
  spec.fallback_keys = {"f1", "f2"};
  auto known = facts({});
  known.fallback_key = "all";
  known.ref_protected = true;
  EXPECT_THAT(cache_keys(spec, 0, known).lookup,
              ElementsAre("k-protected", "f1-protected", "f2-protected", "all-protected", "all"));
  known.fallback_key = "all-protected";
  EXPECT_THAT(cache_keys(spec, 0, known).lookup, ElementsAre("k-protected", "f1-protected", "f2-protected"));
}

TEST(CacheKeys, KeysAreResolvedAgainstAVirtualRoot) {
  EXPECT_EQ(normalize_cache_key("../../a%2F.%2f..\\b  "), "b");
  EXPECT_EQ(normalize_cache_key("a/./b/../c"), "a/c");
  EXPECT_EQ(normalize_cache_key("../.."), "");
}

}  // namespace
}  // namespace runner::engine
