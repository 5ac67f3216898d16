#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "tests/http/harness.h"

namespace runner::http {
namespace {

using testing::Answer;
using testing::Client;
using testing::get;
using ::testing::HasSubstr;
using testing::post;
using BodyTest = testing::ServerTest;

TEST_F(BodyTest, ComesInChunksWhoseTrailersAreDropped) {
  start();
  Client client = connect();
  client.send(
      "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
      "4;x=y\r\nWiki\r\n6\r\npedia \r\n1\r\n!\r\n0\r\nX-Late: 1\r\n\r\n" +
      get("/hello"));
  EXPECT_EQ(client.read_answer().body, "Wikipedia !");
  EXPECT_EQ(client.read_answer().body, "hello\n");
}

TEST_F(BodyTest, EndsWithALastChunkInPieces) {
  start();
  Client client = connect();
  client.send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (const char c : std::string("0\r\n\r\n")) client.send(std::string(1, c));
  EXPECT_EQ(client.read_answer().status, 200);
}

TEST_F(BodyTest, IsAskedForOnlyWhenItIsWanted) {
  start();
  Client client = connect();
  client.send("POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
  EXPECT_EQ(client.read_answer().status, 100);
  client.send("body");
  EXPECT_EQ(client.read_answer().body, "body");
  client.send("POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 99999999\r\n\r\n");
  EXPECT_EQ(client.read_answer().status, 413);
  EXPECT_TRUE(client.ends());
}

TEST_F(BodyTest, IsRefusedBeforeItComesWhenItIsTooLong) {
  start();
  Client told = connect();
  told.send("POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1048577\r\n\r\n");
  const Answer answer = told.read_answer();
  EXPECT_EQ(answer.status, 413);
  EXPECT_THAT(answer.body, HasSubstr("1.0 MiB"));
  EXPECT_EQ(answer.header("connection"), "close");

  Client chunked = connect();
  chunked.send("POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  const std::string chunk = "10000\r\n" + std::string(0x10000, 'x') + "\r\n";
  for (int i = 0; i < 40; ++i)
    chunked.send(chunk);  // it is read on, and thrown away, so that the answer arrives
  EXPECT_EQ(chunked.read_answer().status, 413);
}

TEST_F(BodyTest, MayBeLongerWhereTheRouteSaysSo) {
  start();
  const std::string body(8U << 20U, 'b');
  Client client = connect();
  client.send("PUT /big HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n");
  std::thread writer([&] { client.send(body); });
  const Answer answer = client.read_answer();
  writer.join();
  EXPECT_EQ(answer.body.size(), body.size());
  EXPECT_EQ(ask(post("/echo", std::string(1U << 20U, 'b'))).status, 200);
}

}  // namespace
}  // namespace runner::http
