#include "runner/http/range.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "runner/base/files.h"
#include "tests/http/harness.h"

namespace runner::http {
namespace {

using testing::Answer;
using testing::get;
using ::testing::HasSubstr;
using FileTest = testing::ServerTest;

constexpr RangeChoice kWhole{};
constexpr RangeChoice kNone{RangeKind::unsatisfiable, {}};

RangeChoice part(std::uint64_t offset, std::uint64_t length) {
  return {RangeKind::part, {offset, length}};
}

TEST(Range, IsChosenAsTheStandardSays) {
  struct Case {
    const char* header;
    RangeChoice choice;  // of 100 bytes
  };
  const Case cases[] = {
      {"bytes=0-0", part(0, 1)},
      {"bytes=10-19", part(10, 10)},
      {"bytes=90-", part(90, 10)},
      {"bytes=0-", part(0, 100)},
      {"bytes=-7", part(93, 7)},
      {"bytes=-700", part(0, 100)},
      {"bytes=50-1000", part(50, 50)},
      {"Bytes = 5-6", kWhole},
      {"BYTES=5-6", part(5, 2)},
      {" bytes= 5-6 ", part(5, 2)},
      {"bytes=99-99", part(99, 1)},
      {"bytes=100-", kNone},
      {"bytes=100-200", kNone},
      {"bytes=-0", kNone},
      {"bytes=99999999999999999999999-", kNone},
      {"bytes=5-99999999999999999999999", part(5, 95)},
      {"bytes=6-5", kWhole},
      {"bytes=0-1,3-4", kWhole},
      {"bytes=-", kWhole},
      {"bytes=a-b", kWhole},
      {"bytes=1", kWhole},
      {"bytes=--5", kWhole},
      {"bytes=+1-2", kWhole},
      {"lines=1-2", kWhole},
      {"", kWhole},
  };
  for (const Case& tested : cases)
    EXPECT_EQ(choose_range(tested.header, 100), tested.choice) << tested.header;
  EXPECT_EQ(choose_range("bytes=0-", 0), kNone);
  EXPECT_EQ(choose_range("bytes=-5", 0), kNone);
}

TEST(HttpDate, IsReadAndWritten) {
  EXPECT_EQ(format_http_date(784111777), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT"), 784111777);
  for (const char* wrong :
       {"", "Mon, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:61 GMT", "Sun, 06 Nov 1994 08:49:37 UTC",
        "Sunday, 06-Nov-94 08:49:37 GMT", "Sun, 6 Nov 1994 08:49:37 GMT"})
    EXPECT_FALSE(parse_http_date(wrong)) << wrong;
}

TEST(Conditions, CompareEntityTagsAndDates) {
  const Validators current{.etag = "\"v2\"", .modified = 784111777};
  EXPECT_TRUE(is_not_modified({{"If-None-Match", "\"v1\", W/\"v2\""}}, current));
  EXPECT_TRUE(is_not_modified({{"if-none-match", "*"}}, current));
  EXPECT_FALSE(is_not_modified(
      {{"If-None-Match", "\"v1\""}, {"If-Modified-Since", "Sun, 06 Nov 1994 08:49:37 GMT"}}, current));
  EXPECT_TRUE(is_not_modified({{"If-Modified-Since", "Sun, 06 Nov 1994 08:49:37 GMT"}}, current));
  EXPECT_FALSE(is_not_modified({{"If-Modified-Since", "Sun, 06 Nov 1994 08:49:36 GMT"}}, current));
  EXPECT_FALSE(is_not_modified({{"If-Modified-Since", "yesterday"}}, current));
  EXPECT_EQ(range_of({{"Range", "bytes=0-0"}, {"If-Range", "\"v2\""}}, current, 9).kind, RangeKind::part);
  EXPECT_EQ(range_of({{"Range", "bytes=0-0"}, {"If-Range", "\"v1\""}}, current, 9).kind, RangeKind::whole);
  EXPECT_EQ(range_of({{"Range", "bytes=0-0"}, {"If-Range", "W/\"v2\""}}, current, 9).kind, RangeKind::whole);
  EXPECT_EQ(
      range_of({{"Range", "bytes=0-0"}, {"If-Range", "Sun, 06 Nov 1994 08:49:37 GMT"}}, current, 9).kind,
      RangeKind::part);
}

std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + (i * 7 + i / 251) % 26);
  return text;
}

TEST_F(FileTest, IsSentWholeOrInParts) {
  const std::string content = pattern(1'000'001);
  write_file_atomic(file, content, 0644, false);
  start();
  testing::Client client = connect();
  client.send(get("/file") + get("/file", "Range: bytes=999990-\r\n") +
              get("/file", "Range: bytes=2000000-\r\n") + "HEAD /file HTTP/1.1\r\nHost: x\r\n\r\n" +
              get("/file", "Range: bytes=300000-700000\r\n"));
  const Answer whole = client.read_answer();
  EXPECT_EQ(whole.status, 200);
  EXPECT_TRUE(whole.body == content);
  EXPECT_EQ(whole.header("accept-ranges"), "bytes");
  const Answer end = client.read_answer();
  EXPECT_EQ(end.status, 206);
  EXPECT_EQ(end.header("content-range"), "bytes 999990-1000000/1000001");
  EXPECT_EQ(end.body, content.substr(999990));
  const Answer beyond = client.read_answer();
  EXPECT_EQ(beyond.status, 416);
  EXPECT_EQ(beyond.header("content-range"), "bytes */1000001");
  EXPECT_EQ(client.read_answer(true).header("content-length"), "1000001");
  EXPECT_TRUE(client.read_answer().body == content.substr(300000, 400001));
}

TEST_F(FileTest, HasRangesForGetAlone) {
  write_file_atomic(file, "content", 0644, false);
  start();
  const Answer head = ask("HEAD /file HTTP/1.1\r\nHost: x\r\nRange: bytes=1-2\r\n\r\n");
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.header("content-length"), "7");
}

TEST_F(FileTest, IsNotSentAgainToWhoHasIt) {
  write_file_atomic(file, "one", 0644, false);
  start();
  const Answer first = ask(get("/file"));
  const Answer again = ask(get("/file", "If-None-Match: " + first.header("etag") + "\r\n"));
  EXPECT_EQ(again.status, 304);
  EXPECT_EQ(again.header("etag"), first.header("etag"));
  EXPECT_EQ(ask(get("/file", "If-Modified-Since: " + first.header("last-modified") + "\r\n")).status, 304);
  write_file_atomic(file, "three", 0644, false);
  const Answer changed = ask(get("/file", "Range: bytes=1-\r\nIf-Range: " + first.header("etag") + "\r\n"));
  EXPECT_EQ(changed.status, 200);
  EXPECT_EQ(changed.body, "three");
}

TEST_F(FileTest, IsSentWhenItIsEmpty) {
  write_file_atomic(file, "", 0644, false);
  start();
  testing::Client client = connect();
  client.send(get("/file") + get("/hello"));
  EXPECT_EQ(client.read_answer().header("content-length"), "0");
  EXPECT_EQ(client.read_answer().body, "hello\n");
}

TEST_F(FileTest, IsAProblemWhenItIsMissingOrNone) {
  start();
  EXPECT_EQ(ask(get("/file")).status, 404);
  ASSERT_EQ(::mkfifo(file.c_str(), 0600), 0);
  const Answer fifo = ask(get("/file"));
  EXPECT_EQ(fifo.status, 500);
  EXPECT_THAT(fifo.body, Not(HasSubstr(file.string())));
}

TEST_F(FileTest, EndsTheConnectionWhenItGetsShorter) {
  write_file_atomic(file, std::string(32U << 20U, 'x'), 0644, false);
  start();
  testing::Client client = testing::Client::tcp(server->port(), "127.0.0.1", 4096);
  client.send(get("/file"));
  EXPECT_EQ(client.read_head().header("content-length"), std::to_string(32U << 20U));
  std::filesystem::resize_file(file, 1000);
  EXPECT_LT(client.read_all().size(), 32U << 20U);
  EXPECT_FALSE(wait_for_records(1)[0].complete);
}

}  // namespace
}  // namespace runner::http
