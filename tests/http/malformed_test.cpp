// Requests that two servers in a row might read differently, and those that cost too much.
#include <gtest/gtest.h>

#include "tests/http/harness.h"

namespace runner::http {
namespace {

using testing::Client;
using testing::get;
using RefusalTest = testing::ServerTest;

struct Malformed {
  const char* name;
  std::string bytes;
  int status;
};

std::string chunked(const std::string& body) {
  return "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + body;
}

struct MalformedTest : testing::ServerTest, ::testing::WithParamInterface<Malformed> {};

TEST_P(MalformedTest, IsRefusedAndTheConnectionClosed) {
  start();
  Client client = connect();
  client.send(GetParam().bytes);
  EXPECT_EQ(client.read_answer().status, GetParam().status);
  EXPECT_TRUE(client.ends());
}

INSTANTIATE_TEST_SUITE_P(
    Requests, MalformedTest,
    ::testing::Values(
        Malformed{"NotHttp", "\x16\x03\x01\x02", 400}, Malformed{"NoVersion", "GET /hello\r\n\r\n", 400},
        Malformed{"BareLineFeeds", "GET /hello HTTP/1.1\nHost: x\n\n", 400},
        Malformed{"NoHost", "GET /hello HTTP/1.1\r\n\r\n", 400},
        Malformed{"TwoHosts", "GET /hello HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400},
        Malformed{"BlankBeforeColon", "GET /hello HTTP/1.1\r\nHost : x\r\n\r\n", 400},
        Malformed{"ByteZero", std::string("GET /hello HTTP/1.1\r\nHost: x\r\nA: ") + '\0' + "b\r\n\r\n", 400},
        Malformed{"Http2", "PRI * HTTP/2.0\r\n\r\n", 505},
        Malformed{"BothLengths",
                  "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
                  400},
        Malformed{"BothLengthsSwapped",
                  "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
                  400},
        Malformed{"TwoLengths",
                  "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n", 400},
        Malformed{"ListOfLengths", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3, 3\r\n\r\nabc", 400},
        Malformed{"SignedLength", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\nabc", 400},
        Malformed{"FoldedField", "GET /hello HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", 400},
        Malformed{"FoldedCoding",
                  "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding:\r\n\tchunked\r\n\r\n0\r\n\r\n", 400},
        Malformed{"BlankBeforeTheFirstField",
                  "POST /echo HTTP/1.1\r\n Transfer-Encoding: chunked\r\nHost: x\r\n\r\n", 400},
        Malformed{"LoneReturn", "GET /hello HTTP/1.1\r\nHost: x\r\nA: b\rC: d\r\n\r\n", 400},
        Malformed{"BlankInTheTarget", "GET /hello /x HTTP/1.1\r\nHost: x\r\n\r\n", 400},
        Malformed{"NegativeLength", "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: -3\r\n\r\n", 400},
        Malformed{"HugeLength",
                  "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n", 400},
        Malformed{"UnknownCoding", "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501},
        Malformed{"CodingBeforeChunks",
                  "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501},
        Malformed{"ChunksInHttp10", "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        Malformed{"BadChunk", chunked("xyz\r\n"), 400},
        Malformed{"LineFeedAfterAChunkSize", chunked("3\nabc\r\n0\r\n\r\n"), 400},
        Malformed{"LineFeedInAChunkExtension", chunked("3;a=\"\n\"\r\nabc\r\n0\r\n\r\n"), 400},
        Malformed{"ReturnInAChunkExtension", chunked("3;a=\"\r\"\r\nabc\r\n0\r\n\r\n"), 400},
        Malformed{"LineFeedAfterAChunk", chunked("3\r\nabc\n0\r\n\r\n"), 400},
        Malformed{"SignedChunkSize", chunked("+3\r\nabc\r\n0\r\n\r\n"), 400},
        Malformed{"PrefixedChunkSize", chunked("0x3\r\nabc\r\n0\r\n\r\n"), 400},
        Malformed{"HugeChunkSize", chunked("10000000000000003\r\nabc\r\n0\r\n\r\n"), 400},
        Malformed{"LengthInATrailer", chunked("0\r\nContent-Length: 3\r\n\r\n"), 400},
        Malformed{"LongChunkHead", chunked("1;" + std::string(20'000, 'a')), 400},
        Malformed{"LongHead", "GET /hello HTTP/1.1\r\nHost: x\r\nA: " + std::string(20'000, 'a'), 431},
        Malformed{"ManyFields",
                  [] {
                    std::string text = "GET /hello HTTP/1.1\r\nHost: x\r\n";
                    for (int i = 0; i < 5000; ++i) text += "A: b\r\n";
                    return text;
                  }(),
                  431},
        Malformed{"LongLine", "GET /" + std::string(20'000, 'a'), 414}),
    [](const ::testing::TestParamInfo<Malformed>& tested) { return tested.param.name; });

TEST_F(RefusalTest, HoldsForTargetsThatAreNone) {
  start();
  for (const char* target : {"/parts/%zz", "/parts/%00", "/parts/..", "/parts/%2e%2E", "/parts/a%2F..%2Fb",
                             "hello", "/hello?a=%4"})
    EXPECT_EQ(ask(get(target)).status, 400) << target;
  EXPECT_EQ(ask(get("/" + std::string(9000, 'a'))).status, 414);
  EXPECT_EQ(ask(get("/hello", "Expect: the unexpected\r\n")).status, 417);
}

TEST_F(RefusalTest, HoldsForTooManyFields) {
  start();
  std::string fields;
  for (int i = 0; i < 127; ++i) fields += "A: b\r\n";
  EXPECT_EQ(ask(get("/hello", fields)).status, 200);  // and one more, Host
  const auto answer = ask(get("/hello", fields + "A: b\r\n"));
  EXPECT_EQ(answer.status, 431);
  EXPECT_EQ(answer.header("connection"), "close");
}

}  // namespace
}  // namespace runner::http
