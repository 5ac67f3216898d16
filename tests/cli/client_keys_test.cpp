// `runner keys ...` against a server that says what a test wants.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/cli/fake_server.h"
#include "tests/cli/program.h"

namespace runner::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string report(bool renewing, const std::string& failures = "") {
  return R"({"keys":[{"id":"beef","made_at":"2026-01-02T03:04:05.000Z","seals":true,"values":4},)"
         R"({"id":"cafe","made_at":"2025-01-02T03:04:05.000Z","seals":false,"values":)" +
         std::string(renewing ? "3" : "0") + R"(}],"renewing":)" + (renewing ? "true" : "false") +
         R"(,"renewed":4,"failures":[)" + failures + "]}";
}

struct KeyCommands : ::testing::Test {
  Sandboxed box{"", false};
  FakeServer server{box.data()};
};

TEST_F(KeyCommands, ListTellsWhichSealsAndWhichIsNeeded) {
  server.on("GET /keys", 200, report(true));
  const Ended ended = box.run({"keys", "list"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_THAT(ended.out, AllOf(HasSubstr("beef"), HasSubstr("seals"), HasSubstr("3  needed")));
  EXPECT_THAT(ended.err, HasSubstr("4 have it so far"));
  server.on("GET /keys", 200, report(false));
  EXPECT_THAT(box.run({"keys", "list"}).out, HasSubstr("0  not needed"));
  EXPECT_THAT(box.run({"keys", "list", "--json"}).out, HasSubstr("\"renewing\":false"));
}

TEST_F(KeyCommands, RotateWaitsUntilAllHaveTheNewOne) {
  server.on("POST /keys/rotate", 202, report(true));
  server.on_each("GET /keys", {report(true), report(true), report(false)});
  const Ended ended = box.run({"keys", "rotate"});
  EXPECT_EQ(ended.code, 0) << ended.err;
  EXPECT_EQ(server.asked_what().size(), 4U);
  EXPECT_THAT(ended.out, AllOf(HasSubstr("sealed with the data key beef from now on"),
                               HasSubstr("4 values have it now")));
  EXPECT_EQ(box.run({"keys", "rotate", "--no-wait"}).code, 0);
  EXPECT_EQ(server.asked_what().size(), 5U);
}

TEST_F(KeyCommands, ValuesThatDoNotOpenAreAFailureAndShownSafely) {
  server.on("POST /keys/rotate", 202, report(false, R"("row 7\u001b[31m does not open")"));
  const Ended ended = box.run({"keys", "rotate"});
  EXPECT_EQ(ended.code, 1);
  EXPECT_THAT(ended.err, HasSubstr("row 7?[31m does not open"));
}

TEST_F(KeyCommands, RemoveTakesOneId) {
  server.on("DELETE /keys/cafe", 204, "");
  EXPECT_EQ(box.run({"keys", "remove", "cafe"}).code, 0);
  server.on("DELETE /keys/beef", 409,
            R"({"title":"Conflict","status":409,"detail":"this is the key that seals"})");
  const Ended refused = box.run({"keys", "remove", "beef"});
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.err, HasSubstr("this is the key that seals"));
  EXPECT_EQ(box.run({"keys", "remove"}).code, 2);
  EXPECT_EQ(box.run({"keys", "remove", "a", "b"}).code, 2);
  EXPECT_EQ(box.run({"keys", "rotate", "a"}).code, 2);
}

}  // namespace
}  // namespace runner::cli
