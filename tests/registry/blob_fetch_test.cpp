// Blobs that do not come whole.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runner/base/files.h"
#include "tests/registry/client_fixture.h"
#include "tests/registry/scripted_registry.h"

namespace runner::registry {
namespace {

using test::ScriptedReply;
using test::ScriptedRequest;
using test::ScriptedServer;
using testing::after_probe;
using ::testing::AllOf;
using testing::app;
using testing::descriptor_of;
using testing::digest_of;
using testing::error_of;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using ::testing::StartsWith;
using testing::StillClient;

/// Gives `content` by `bytes` at a time, with or without Range.
ScriptedServer::Handler in_pieces(const std::string& content, std::size_t bytes, bool knows_range) {
  return after_probe([=](const ScriptedRequest& request, ScriptedReply& reply) {
    const std::string range = request.field("range");
    const std::size_t from = knows_range && !range.empty() ? std::stoul(range.substr(6)) : 0;
    const std::string rest = content.substr(from);
    std::string head = "HTTP/1.1 " + std::string(from > 0 ? "206" : "200") +
                       " x\r\nContent-Length: " + std::to_string(rest.size()) + "\r\n";
    if (from > 0)
      head += "Content-Range: bytes " + std::to_string(from) + "-" + std::to_string(content.size() - 1) +
              "/*\r\n";
    reply.send(head + "\r\n" + rest.substr(0, bytes));
    if (bytes < rest.size()) reply.close();
  });
}

TEST(BlobFetch, AnotherHalfOfABlobIsAskedForWhereTheFirstBroke) {
  const TempDir directory;
  const std::string content = "0123456789";
  const ScriptedServer server(in_pieces(content, 4, true));
  StillClient client;
  client->fetch_blob(app(server), descriptor_of(content), directory.path() / "x");
  EXPECT_EQ(read_file(directory.path() / "x"), content);
  EXPECT_EQ(server.requests().back().field("range"), "bytes=8-");
  EXPECT_THAT(client.slept, SizeIs(2));
}

TEST(BlobFetch, ABlobThatNeverComesWholeIsGivenUpAndTheOldFileStays) {
  const TempDir directory;
  write_file_atomic(directory.path() / "x", "old");
  const ScriptedServer server(in_pieces("0123456789", 4, false));
  StillClient client;
  EXPECT_THAT(
      error_of([&] { client->fetch_blob(app(server), descriptor_of("0123456789"), directory.path() / "x"); }),
      AllOf(StartsWith("unavailable: cannot fetch 'sha256:"), HasSubstr("middle of its answer"),
            HasSubstr("tried 6 times")));
  EXPECT_EQ(read_file(directory.path() / "x"), "old");
  const ScriptedServer other(in_pieces("9876543210", 10, true));
  EXPECT_THAT(
      error_of([&] { client->fetch_blob(app(other), descriptor_of("0123456789"), directory.path() / "x"); }),
      AllOf(StartsWith("corrupt: "), HasSubstr("what came has the digest " + digest_of("9876543210"))));
  EXPECT_EQ(read_file(directory.path() / "x"), "old");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory.path()), {}), 1);
  // Shorter than it should be, and properly so.
  const ScriptedServer shorter(in_pieces("0123", 4, false));
  EXPECT_THAT(error_of([&] {
                client->fetch_blob(app(shorter), descriptor_of("0123456789"), directory.path() / "x");
              }),
              AllOf(StartsWith("unavailable: "), HasSubstr("only 4 of 10 bytes came")));
}

}  // namespace
}  // namespace runner::registry
