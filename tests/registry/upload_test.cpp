// Uploads that break, and registries that forget them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>

#include "runner/base/files.h"
#include "tests/registry/client_fixture.h"
#include "tests/support/scripted_server.h"

namespace runner::registry {
namespace {

using namespace std::chrono_literals;
using test::scripted_answer;
using test::ScriptedReply;
using test::ScriptedRequest;
using test::ScriptedServer;
using ::testing::AllOf;
using ::testing::Contains;
using testing::descriptor_of;
using testing::digest_of;
using testing::error_of;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::StartsWith;
using testing::StillClient;

constexpr const char* kSession = "/up/1?state=";

/// One blob's uploads, as the specification has them. `breaks` may answer in its place.
class UploadRegistry {
 public:
  /// True: it has answered, or ended the connection.
  using Breaks = std::function<bool(UploadRegistry&, const ScriptedRequest&, ScriptedReply&)>;

  explicit UploadRegistry(Breaks breaks = {}) : breaks_(std::move(breaks)) {}

  Reference app(const char* name = "app") const { return parse_reference(server_.host() + '/' + name); }
  std::vector<std::string> lines() const { return server_.lines(); }
  std::size_t count(const std::string& method) const {
    std::size_t found = 0;
    for (const std::string& line : lines()) found += line.starts_with(method + ' ') ? 1U : 0U;
    return found;
  }
  std::string kept() const {
    const std::lock_guard lock(mutex_);
    return whole;
  }

  // Used with the lock held, by `breaks` as well.
  std::string session, whole;
  bool has_session = false;
  int broken = 0;

  std::map<std::string, std::string> where() const {
    std::map<std::string, std::string> fields{{"Location", kSession + std::to_string(session.size())}};
    fields["Range"] = "0-" + std::to_string(session.empty() ? 0 : session.size() - 1);
    return fields;
  }

 private:
  void answer(const ScriptedRequest& request, ScriptedReply& reply) {
    const std::lock_guard lock(mutex_);
    if (request.target == "/v2/") return void(reply.send(scripted_answer(200, "{}")));
    if (breaks_ && breaks_(*this, request, reply)) return;
    if (request.method == "HEAD") {
      const bool is_there = !whole.empty() && request.target.ends_with(digest_of(whole));
      return void(reply.send("HTTP/1.1 " + std::string(is_there ? "200" : "404") +
                             " x\r\nContent-Length: 1\r\n\r\n"));
    }
    if (request.method == "POST") {
      session.clear();
      has_session = true;
      return void(reply.send(scripted_answer(202, "", where())));
    }
    if (request.method == "GET" && has_session)
      return void(reply.send("HTTP/1.1 204 x\r\nLocation: " + where()["Location"] +
                             "\r\nRange: " + where()["Range"] + "\r\n\r\n"));
    if (!has_session || !request.target.starts_with(kSession + std::to_string(session.size())))
      return void(reply.send(scripted_answer(has_session ? 416 : 404, "", where())));
    session += request.body;
    if (request.method == "PATCH") return void(reply.send(scripted_answer(202, "", where())));
    whole = session;
    has_session = false;
    reply.send(
        scripted_answer(request.target.ends_with("digest=sha256%3A" + digest_of(whole).substr(7)) ? 201 : 400,
                        R"({"errors":[{"code":"DIGEST_INVALID"}]})"));
  }

  Breaks breaks_;
  mutable std::mutex mutex_;
  ScriptedServer server_{
      [this](const ScriptedRequest& request, ScriptedReply& reply) { answer(request, reply); }};
};

struct UploadTest : ::testing::Test {
  void SetUp() override {
    for (int i = 0; content.size() < 950; ++i) content += std::to_string(i) + ' ';
    write_file_atomic(file(), content, 0644, false);
    client.base.chunk_bytes = 300;
  }
  std::filesystem::path file() const { return directory.path() / "content"; }

  TempDir directory;
  StillClient client;
  std::string content;
};

TEST_F(UploadTest, WhatIsSmallGoesInOneRequestAndWhatIsBigInChunks) {
  UploadRegistry small;
  client.base.chunk_bytes = 2000;
  client->push_blob(small.app(), file());
  EXPECT_EQ(small.kept(), content);
  EXPECT_EQ(small.count("PATCH"), 0U);
  UploadRegistry big;
  StillClient chunks;
  chunks.base.chunk_bytes = 300;
  chunks->push_blob(big.app(), file());
  EXPECT_EQ(big.kept(), content);
  EXPECT_EQ(big.count("PATCH"), 3U);
  chunks->push_blob(big.app(), file());
  EXPECT_EQ(big.count("POST"), 1U);
  EXPECT_THAT(chunks.slept, IsEmpty());
}

TEST_F(UploadTest, GoesOnWhereTheConnectionBroke) {
  UploadRegistry registry([](UploadRegistry& own, const ScriptedRequest& request, ScriptedReply& reply) {
    if (request.method != "PATCH" || own.session.size() != 300 || own.broken++ > 0) return false;
    own.session += request.body.substr(0, 123);
    reply.send("HTTP/1.1 202 x\r\nRange: ");  // and no more of it
    reply.close();
    return true;
  });
  client->push_blob(registry.app(), file());
  EXPECT_EQ(registry.kept(), content);
  EXPECT_EQ(registry.count("POST"), 1U);
  EXPECT_THAT(registry.lines(), Contains(StartsWith("GET /up/1?state=300")));
  EXPECT_THAT(registry.lines(), Contains("PATCH /up/1?state=423"));
  EXPECT_THAT(client.slept, SizeIs(1));
}

TEST_F(UploadTest, IsBegunAnewWhenTheRegistryForgotIt) {
  UploadRegistry registry([](UploadRegistry& own, const ScriptedRequest& request, ScriptedReply&) {
    if (request.method == "PATCH" && own.session.size() == 600 && own.broken++ == 0) own.has_session = false;
    return false;
  });
  client->push_blob(registry.app(), file());
  EXPECT_EQ(registry.kept(), content);
  EXPECT_EQ(registry.count("POST"), 2U);
  EXPECT_THAT(client.slept, SizeIs(1));
}

TEST_F(UploadTest, EndsWhenItIsForgottenAgainAndAgain) {
  UploadRegistry registry([](UploadRegistry& own, const ScriptedRequest& request, ScriptedReply&) {
    if (request.method == "PATCH" && own.session.size() == 600) own.has_session = false;
    return false;
  });
  EXPECT_THAT(error_of([&] { client->push_blob(registry.app(), file()); }),
              AllOf(StartsWith("unavailable: cannot push '"), HasSubstr("in the middle of an upload"),
                    HasSubstr("tried 6 times")));
  EXPECT_EQ(registry.count("POST"), 6U);
}

TEST_F(UploadTest, AnAnswerThatIsLostAtTheEndIsNoFailure) {
  UploadRegistry registry([](UploadRegistry& own, const ScriptedRequest& request, ScriptedReply& reply) {
    if (request.method != "PUT") return false;
    own.whole = own.session + request.body;
    own.has_session = false;
    reply.send("HTTP/1.1 201 x\r\nLoc");
    reply.close();
    return true;
  });
  client->push_blob(registry.app(), file());
  EXPECT_EQ(registry.kept(), content);
  EXPECT_EQ(registry.count("PUT"), 1U);
}

TEST_F(UploadTest, WhatTheRegistryRefusesIsNotTriedAgain) {
  const struct {
    const char* method;
    int status;
    const char* code;
    const char* text;
  } cases[] = {
      {"POST", 403, "invalid_input: ", "not allowed"},
      {"POST", 405, "invalid_input: ", "does not do that"},
      {"PATCH", 413, "invalid_input: ", "too big"},
      {"PUT", 400, "corrupt: ", "another digest"},
      {"POST", 307, "unavailable: ", "may not follow"},
      {"POST", 200, "invalid_input: ", "does not take that"},
  };
  for (const auto& c : cases) {
    UploadRegistry registry([&](UploadRegistry&, const ScriptedRequest& request, ScriptedReply& reply) {
      if (request.method != c.method) return false;
      reply.send(
          scripted_answer(c.status, R"({"errors":[{"code":"DIGEST_INVALID"}]})", {{"Location", "/x"}}));
      return true;
    });
    StillClient fresh;
    fresh.base.chunk_bytes = 300;
    fresh.base.retries.attempts = c.status == 307 ? 1 : 6;
    EXPECT_THAT(error_of([&] { fresh->push_blob(registry.app(), file()); }),
                AllOf(StartsWith(c.code), HasSubstr(c.text)));
    EXPECT_THAT(fresh.slept, IsEmpty()) << c.method << c.status;
  }
}

TEST_F(UploadTest, AnUploadThatLeadsNowhereOrInTheClearIsRefused) {
  for (const char* location : {"", "http://registry.example/up", "//ann@x/", "/a b"}) {
    UploadRegistry registry([&](UploadRegistry&, const ScriptedRequest& request, ScriptedReply& reply) {
      if (request.method != "POST") return false;
      std::map<std::string, std::string> fields;
      if (*location != '\0') fields["Location"] = location;
      reply.send(scripted_answer(202, "", fields));
      return true;
    });
    client.base.retries.attempts = 1;
    EXPECT_THAT(error_of([&] { client->push_blob(registry.app(), file()); }), StartsWith("unavailable: "));
    EXPECT_EQ(registry.count("PUT") + registry.count("PATCH"), 0U);
  }
}

TEST_F(UploadTest, ABlobThatIsNotMountedIsSent) {
  UploadRegistry registry([&](UploadRegistry&, const ScriptedRequest& request, ScriptedReply& reply) {
    if (!request.target.starts_with("/v2/from/") || request.method != "GET") return false;
    reply.send(scripted_answer(200, content));
    return true;
  });
  client->copy_blob(registry.app("from"), registry.app("to"), descriptor_of(content));
  EXPECT_EQ(registry.kept(), content);
  EXPECT_THAT(registry.lines(), Contains("POST /v2/to/blobs/uploads/?mount=sha256%3A" +
                                         digest_of(content).substr(7) + "&from=from"));
  EXPECT_EQ(registry.count("DELETE"), 1U);
  UploadRegistry mounts([&](UploadRegistry&, const ScriptedRequest& request, ScriptedReply& reply) {
    if (request.method != "POST") return false;
    reply.send(scripted_answer(201));
    return true;
  });
  client->copy_blob(mounts.app("from"), mounts.app("to"), descriptor_of(content));
  EXPECT_THAT(mounts.lines(), Not(Contains(StartsWith("GET /v2/from"))));
}

}  // namespace
}  // namespace runner::registry
