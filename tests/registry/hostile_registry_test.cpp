// The client against registries that are ill, slow or hostile.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <mutex>

#include "runner/base/base64.h"
#include "runner/base/files.h"
#include "tests/registry/client_fixture.h"
#include "tests/registry/scripted_registry.h"

namespace runner::registry {
namespace {

using namespace std::chrono_literals;
using test::scripted_answer;
using test::ScriptedReply;
using test::ScriptedRequest;
using test::ScriptedServer;
using testing::after_probe;
using ::testing::AllOf;
using testing::app;
using ::testing::Contains;
using testing::descriptor_of;
using testing::digest_of;
using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using testing::image_of;
using ::testing::IsEmpty;
using testing::kImageType;
using ::testing::Not;
using ::testing::StartsWith;
using testing::StillClient;

const std::string kManifests = "/v2/app/manifests/";

std::string manifest_answer(const Manifest& manifest) {
  return scripted_answer(200, manifest.bytes, {{"Content-Type", manifest.descriptor.media_type}});
}

TEST(HostileRegistry, WhatGoesAwayIsTriedAgainWithLongerWaits) {
  const Manifest manifest = image_of("{}", "x");
  std::atomic<int> asked = 0;
  const ScriptedServer server(after_probe([&](const ScriptedRequest&, ScriptedReply& reply) {
    switch (++asked) {
      case 1:
        reply.send(scripted_answer(503, "down"));
        return;
      case 2:
        reply.send(scripted_answer(429, "", {{"Retry-After", "20"}}));
        return;
      case 3:
        return reply.close();  // a kept connection: asked again at once on another
      case 4:
        reply.send("HTTP/1.1 200 x\r\nContent-Length: 1000\r\n\r\n{");
        return reply.close();
      default:
        reply.send(manifest_answer(manifest));
    }
  }));
  StillClient client;
  EXPECT_EQ(client->fetch_manifest(app(server)).bytes, manifest.bytes);
  EXPECT_THAT(client.slept, ElementsAre(500ms, 20s, 2s));
}

TEST(HostileRegistry, TriesEndByTheirNumberAndByTheirTime) {
  std::string after;
  const ScriptedServer server(after_probe([&](const ScriptedRequest&, ScriptedReply& reply) {
    reply.send(scripted_answer(429,
                               R"({"errors":[{"code":"TOOMANYREQUESTS","message":"slow \u001b[2J\n down"}]})",
                               {{"Retry-After", after}}));
  }));
  StillClient client;
  EXPECT_THAT(
      error_of([&] { client->fetch_manifest(app(server)); }),
      AllOf(StartsWith("unavailable: cannot read the manifest of image '127.0.0.1:"),
            HasSubstr("answers 429 (TOOMANYREQUESTS: slow ? down)"), HasSubstr("tried 6 times within")));
  EXPECT_THAT(client.slept, ElementsAre(500ms, 1s, 2s, 4s, 8s));
  client.slept.clear();
  after = "3600";
  EXPECT_THAT(error_of([&] { client->find_manifest(app(server)); }),
              AllOf(StartsWith("unavailable: "), HasSubstr("left alone for 1 h 00 m")));
  EXPECT_THAT(client.slept, IsEmpty());
}

TEST(HostileRegistry, StopEndsAWaitBetweenTries) {
  const ScriptedServer server(
      after_probe([](const ScriptedRequest&, ScriptedReply& reply) { reply.send(scripted_answer(500)); }));
  std::stop_source source;
  StillClient client;
  client.base.sleep = nullptr;
  ClientOptions options = client.options();
  options.sleep = [&](std::chrono::milliseconds, const std::stop_token&) { source.request_stop(); };
  RegistryClient stopped(client.logins, options);
  EXPECT_THAT(error_of([&] { stopped.fetch_manifest(app(server), source.get_token()); }),
              AllOf(StartsWith("cancelled: "), HasSubstr("it was stopped")));
}

TEST(HostileRegistry, SilenceEndsInTime) {
  const ScriptedServer server(
      after_probe([](const ScriptedRequest&, ScriptedReply& reply) { reply.wait_for_end(); }));
  StillClient client;
  client.base.waits.stall = 50ms;
  client.base.retries.attempts = 2;
  EXPECT_THAT(error_of([&] { client->fetch_manifest(app(server)); }),
              AllOf(StartsWith("timeout: "), HasSubstr("nothing within 50 ms"), HasSubstr("tried 2 times")));
}

TEST(HostileRegistry, ManifestsThatAreNotWhatTheyShouldBeAreRefused) {
  const Manifest manifest = image_of("{}", "x");
  const struct {
    std::string answer;
    std::string name;
    const char* code;
    const char* text;
  } cases[] = {
      {scripted_answer(200, manifest.bytes,
                       {{"Content-Type", kImageType}, {"Docker-Content-Digest", digest_of("other")}}),
       "app:1", "corrupt: ", "has the digest sha256:"},
      {manifest_answer(manifest), "app@" + digest_of("other"), "corrupt: ", "has the digest sha256:"},
      {scripted_answer(200, "<html>", {{"Content-Type", "text/html; charset=utf-8"}}), "app:1",
       "corrupt: ", "a page for browsers"},
      {scripted_answer(200, "nonsense", {{"Content-Type", kImageType}}), "app:1",
       "corrupt: ", "no object of JSON"},
      {scripted_answer(200, manifest.bytes, {{"Content-Type", testing::kIndexType}}), "app:1",
       "corrupt: ", "is sent as"},
      {scripted_answer(200, "{}", {{"Content-Type", "a/\x1b[2J"}}), "app:1",
       "corrupt: ", "a kind that we do not know: 'a/?[2j'"},
      {scripted_answer(200, "{}",
                       {{"Content-Type", "application/vnd.docker.distribution.manifest.v1+prettyjws"}}),
       "app:1", "corrupt: ", "schema 1"},
      {scripted_answer(307, "", {{"Location", "http://registry.example/x"}}), "app:1",
       "unavailable: ", "without TLS"},
      {scripted_answer(302, "", {{"Location", "ftp://x/"}}), "app:1", "unavailable: ", "none of http"},
      {scripted_answer(302, "", {{"Location", "http://ann:s3cret@127.0.0.1/?s3cret"}}), "app:1",
       "unavailable: ", "holds a user"},
      {scripted_answer(302, "", {{"Location", kManifests + "1"}}), "app:1",
       "unavailable: ", "again and again"},
      {scripted_answer(403, R"({"errors":[{"code":"DENIED","message":"no"}]})"), "app:1",
       "invalid_input: ", "answers 403 (DENIED: no): that is not allowed to strangers"},
      {scripted_answer(418), "app:1", "invalid_input: ", "does not take that"},
  };
  std::mutex mutex;
  std::string answer;
  const ScriptedServer server(after_probe([&](const ScriptedRequest&, ScriptedReply& reply) {
    const std::lock_guard lock(mutex);
    reply.send(answer);
  }));
  for (const auto& c : cases) {
    {
      const std::lock_guard lock(mutex);
      answer = c.answer;
    }
    StillClient client;
    client.base.retries.attempts = 1;
    EXPECT_THAT(
        error_of([&] { client->fetch_manifest(app(server, c.name)); }),
        AllOf(StartsWith(c.code), HasSubstr(c.text), Not(HasSubstr("s3cret")), Not(HasSubstr("\x1b"))));
  }
}

TEST(HostileRegistry, EndlessBodiesAreLeft) {
  const ScriptedServer server(after_probe([](const ScriptedRequest&, ScriptedReply& reply) {
    reply.send("HTTP/1.1 200 x\r\nContent-Type: " + kImageType + "\r\n\r\n");
    const std::string block(65536, ' ');
    while (reply.send(block)) {
    }
  }));
  const TempDir directory;
  StillClient client;
  client.base.blob_bytes = 3U << 20U;
  EXPECT_THAT(error_of([&] { client->fetch_manifest(app(server)); }),
              AllOf(StartsWith("invalid_input: "), HasSubstr("more than 4.0 MiB, the limit")));
  EXPECT_THAT(error_of([&] { client->read_blob(app(server), descriptor_of("x"), 1000); }),
              AllOf(StartsWith("invalid_input: "), HasSubstr("more than 1000 B")));
  EXPECT_THAT(error_of([&] { client->fetch_blob(app(server), descriptor_of("x"), directory.path() / "x"); }),
              AllOf(StartsWith("corrupt: "), HasSubstr("more than its 1 bytes")));
  EXPECT_THAT(error_of([&] {
                client->fetch_blob(app(server), {"", digest_of("x"), 0}, directory.path() / "x");
              }),
              AllOf(StartsWith("invalid_input: "), HasSubstr("more than 3.0 MiB")));
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
}

TEST(HostileRegistry, HeadIsDoneWithoutWhenItTellsNothing) {
  const Manifest manifest = image_of("{}", "x");
  for (const int status : {200, 405, 400}) {
    const ScriptedServer server(after_probe([&](const ScriptedRequest& request, ScriptedReply& reply) {
      if (request.method == "HEAD") {
        reply.send("HTTP/1.1 " + std::to_string(status) + " x\r\nContent-Length: 7\r\n\r\n");
      } else {
        reply.send(manifest_answer(manifest));
      }
    }));
    StillClient client;
    EXPECT_EQ(client->find_manifest(app(server)), manifest.descriptor);
    EXPECT_THAT(server.lines(), Contains("HEAD " + kManifests + "1"));
    EXPECT_THAT(server.lines(), Contains("GET " + kManifests + "1"));
    EXPECT_EQ(client->resolve(app(server), {}).platform, manifest.descriptor);
  }
}

TEST(HostileRegistry, RedirectsToAnotherHostAreFollowedWithoutCredentials) {
  const ScriptedServer store(after_probe(
      [](const ScriptedRequest&, ScriptedReply& reply) { reply.send(scripted_answer(200, "content")); }));
  const ScriptedServer server(after_probe([&](const ScriptedRequest& request, ScriptedReply& reply) {
    if (request.field("authorization").empty()) {
      reply.send(scripted_answer(401, "", {{"WWW-Authenticate", "Basic realm=\"x\""}}));
    } else if (request.target == "/here") {
      reply.send(scripted_answer(307, "", {{"Location", "http://" + store.host() + "/store?signature=1"}}));
    } else {
      reply.send(scripted_answer(307, "", {{"Location", "/here"}}));
    }
  }));
  StillClient client(single_login(server.host(), {"ann", "s3cret", ""}, "CI_REGISTRY"));
  EXPECT_EQ(client->read_blob(app(server), descriptor_of("content"), 100), "content");
  EXPECT_EQ(server.requests().back().target, "/here");
  EXPECT_EQ(server.requests().back().field("authorization"), "Basic " + to_base64("ann:s3cret"));
  EXPECT_THAT(store.lines(), ElementsAre("GET /store?signature=1"));
  EXPECT_EQ(store.requests().back().field("authorization"), "");
}

TEST(HostileRegistry, TagsComeInPagesThatHaveAnEnd) {
  std::atomic<bool> is_endless = false;
  const ScriptedServer server(after_probe([&](const ScriptedRequest& request, ScriptedReply& reply) {
    const bool is_last = request.target.find("last=b") != std::string::npos && !is_endless;
    std::map<std::string, std::string> fields;
    if (!is_last) fields["Link"] = "</v2/app/tags/list?n=2&last=b>; rel=\"next\"";
    reply.send(scripted_answer(200, is_last ? R"({"name":"app","tags":["d","c"]})" : R"({"tags":["b","a"]})",
                               fields));
  }));
  StillClient client;
  EXPECT_THAT(client->list_tags(app(server)), ElementsAre("a", "b", "c", "d"));
  is_endless = true;
  EXPECT_THAT(error_of([&] { client->list_tags(app(server)); }),
              AllOf(StartsWith("corrupt: cannot list the tags of '"), HasSubstr("have no end")));
}

}  // namespace
}  // namespace runner::registry
