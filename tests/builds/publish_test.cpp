// Pushes and tags beside registries and engines that misbehave.
#include "builds/publish.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>

#include "builds/bases.h"
#include "builds/image_build.h"
#include "runner/base/digest.h"
#include "runner/base/error.h"
#include "runner/base/files.h"
#include "tests/registry/scripted_registry.h"
#include "tests/support/scripted_server.h"

namespace runner::builds {
namespace {

using registry::testing::after_probe;
using test::scripted_answer;
using test::ScriptedReply;
using test::ScriptedRequest;
using test::ScriptedServer;
using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr const char* kType = "application/vnd.oci.image.manifest.v1+json";

std::string digest_of(const std::string& bytes) {
  return "sha256:" + sha256_hex(bytes);
}

const std::string kManifest =
    std::string(R"({"schemaVersion":2,"mediaType":")") + kType +
    R"(","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":")" + digest_of("{}") +
    R"(","size":2},"layers":[]})";

registry::ClientOptions quick() {
  registry::ClientOptions options;
  options.retries.first = options.retries.longest = std::chrono::milliseconds(1);
  return options;
}

/// An engine that answers pushes with these, one after the other.
class ScriptedEngine {
 public:
  explicit ScriptedEngine(std::vector<std::string> pushes)
      : pushes_(std::move(pushes)),
        server_([this](const ScriptedRequest& request, ScriptedReply& reply) { answer(request, reply); },
                dir_.path() / "socket"),
        engine(dir_.path() / "socket") {}

 private:
  void answer(const ScriptedRequest& request, ScriptedReply& reply) {
    if (request.target.find("/push?") != std::string::npos)
      reply.send(scripted_answer(200, pushes_.at(std::min(next_++, pushes_.size() - 1))));
    else
      reply.send(scripted_answer(200, R"({"Version": "20.10", "ApiVersion": "1.41", "Components": []})",
                                 {{"Api-Version", "1.41"}}));
  }

  TempDir dir_;
  std::vector<std::string> pushes_;
  std::size_t next_ = 0;
  ScriptedServer server_;

 public:
  BuildEngine engine;
};

/// A registry that has one manifest under any name.
ScriptedServer registry_of(const std::string& manifest) {
  return ScriptedServer(after_probe([manifest](const ScriptedRequest& request, ScriptedReply& reply) {
    if (request.method == "PUT") {
      reply.send(scripted_answer(201, {}, {{"Docker-Content-Digest", digest_of(request.body)}}));
    } else {
      reply.send(scripted_answer(200, manifest,
                                 {{"Content-Type", kType}, {"Docker-Content-Digest", digest_of(manifest)}}));
    }
  }));
}

std::string pushed(const std::string& digest) {
  return R"({"status":"Pushing"})"
         "\n"
         R"({"status":"1: digest: )" +
         digest +
         R"( size: 10"})"
         "\n";
}

template <typename Call>
std::string error_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return std::string(to_string(error.code())) + ": " + error.what();
  }
  return "";
}

TEST(Publish, APushThatFailsForAMomentIsTriedAgain) {
  const ScriptedServer server = registry_of(kManifest);
  ScriptedEngine with({R"({"error":"received unexpected HTTP status: 503 Service Unavailable"})"
                       "\n",
                       pushed(digest_of(kManifest))});
  const registry::Logins logins;
  registry::RegistryClient client(logins, quick());
  const auto manifest = push_verified(with.engine, client, registry::testing::app(server), std::nullopt, {});
  EXPECT_EQ(manifest.bytes, kManifest);
}

TEST(Publish, AnotherDigestThanTheEngineSentMovesNoTag) {
  const ScriptedServer server = registry_of(kManifest);
  ScriptedEngine with({pushed(digest_of("other"))});
  const registry::Logins logins;
  registry::RegistryClient client(logins, quick());
  EXPECT_THAT(
      error_of([&] { push_verified(with.engine, client, registry::testing::app(server), std::nullopt, {}); }),
      AllOf(StartsWith("corrupt: the registry has " + digest_of(kManifest)), HasSubstr(digest_of("other"))));
  EXPECT_THAT(server.lines(), Not(Contains(StartsWith("PUT"))));
}

TEST(Publish, WhatMustBeMendedIsNotTriedAgain) {
  const registry::Logins logins;
  registry::RegistryClient client(logins, quick());
  const ScriptedServer server = registry_of(kManifest);
  const auto error = [&](const std::string& answer) {
    ScriptedEngine with({answer, pushed(digest_of(kManifest))});
    return error_of(
        [&] { push_verified(with.engine, client, registry::testing::app(server), std::nullopt, {}); });
  };
  EXPECT_THAT(error(R"({"error":"unauthorized: authentication required"})"),
              AllOf(StartsWith("invalid_input: "), HasSubstr("give a login")));
  EXPECT_THAT(error(R"({"error":"denied: requested access to the resource is denied"})"),
              StartsWith("invalid_input: "));
}

TEST(Publish, TagsThatAreThereAreNotWritten) {
  const ScriptedServer server = registry_of(kManifest);
  const registry::Logins logins;
  registry::RegistryClient client(logins, quick());
  const registry::Manifest manifest = client.fetch_manifest(registry::testing::app(server));
  EXPECT_THAT(
      name_all(client, registry::testing::app(server), manifest,
               {registry::testing::app(server, "app:2"), registry::testing::app(server, "app:3")}, {}),
      testing::IsEmpty());
  EXPECT_THAT(server.lines(), Not(Contains(StartsWith("PUT"))));
}

TEST(Publish, AnIndexNamesThePlatforms) {
  const registry::Manifest index =
      make_index({{"linux/amd64", {kType, digest_of("a"), 1}}, {"linux/arm/v7", {kType, digest_of("b"), 2}}});
  EXPECT_EQ(index.descriptor.digest, digest_of(index.bytes));
  const auto entries = registry::parse_index(index.bytes);
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[1].platform.text(), "linux/arm/v7");
  EXPECT_EQ(entries[1].manifest.digest, digest_of("b"));
}

ImageUse use(const std::string& image) {
  return {image, "", 0, 0, 3};
}

TEST(Bases, ARegistryIsAskedAndThenTheEngine) {
  std::atomic<int> status = 200;
  const ScriptedServer server(after_probe([&](const ScriptedRequest&, ScriptedReply& reply) {
    reply.send(status == 200 ? scripted_answer(
                                   200, kManifest,
                                   {{"Content-Type", kType}, {"Docker-Content-Digest", digest_of(kManifest)}})
                             : scripted_answer(status, "{}"));
  }));
  const registry::Logins logins;
  const std::string image = server.host() + "/base:1";
  bool has_local = true;
  const BaseSources sources = {logins, quick(),
                               [&](const auto&, const std::string&) -> std::optional<std::string> {
                                 if (has_local) return "sha256:local";
                                 return std::nullopt;
                               }};
  const auto resolve = [&] { return resolve_bases({use(image), use(image)}, "web/Dockerfile", sources, {}); };
  EXPECT_EQ(resolve().at(image),
            (Base{digest_of(kManifest), server.host() + "/base@" + digest_of(kManifest), ""}));
  for (const int bad : {404, 401, 500, 429}) {
    status = bad;
    has_local = true;
    const Base base = resolve().at(image);
    EXPECT_EQ(base.digest, "sha256:local") << bad;
    EXPECT_EQ(base.pinned, "") << bad;
    EXPECT_THAT(base.remark, HasSubstr("the engine's own image is used"));
    has_local = false;
    EXPECT_THAT(error_of(resolve),
                AllOf(StartsWith(bad == 404 || bad == 401 ? "invalid_input" : "unavailable"),
                      HasSubstr("web/Dockerfile:3: ")))
        << bad;
  }
  const std::string pinned = "x.example/base@" + digest_of("x");
  EXPECT_EQ(resolve_bases({use(pinned)}, "Dockerfile", sources, {}).at(pinned).digest, digest_of("x"))
      << "nobody is asked what is written";
}

class Unchanged : public testing::Test {
 protected:
  BuildRequest request(const ScriptedServer& server) const {
    std::ofstream(dir_.path() / "Dockerfile") << "FROM scratch\nCOPY Dockerfile /\n";
    BuildRequest told;
    told.workspace = dir_.path();
    told.tags = {server.host() + "/app:main"};
    told.push = true;
    return told;
  }
  TempDir dir_;
};

TEST_F(Unchanged, NoEngineIsNeededWhenTheRegistryHasTheKey) {
  const ScriptedServer server = registry_of(kManifest);
  const BuildOutputs outputs = build_image(request(server), dir_.path(), {});
  EXPECT_EQ(outputs.image, server.host() + "/app@" + digest_of(kManifest));
  EXPECT_THAT(server.lines(), Contains("GET /v2/app/manifests/runner-" + outputs.key.substr(0, 32)));
}

TEST_F(Unchanged, ARegistryThatAnswersWithHalfABodyOrAnotherOneIsNotBelieved) {
  for (const bool half : {true, false}) {
    const ScriptedServer server(after_probe([half](const ScriptedRequest&, ScriptedReply& reply) {
      const std::string whole =
          scripted_answer(200, half ? kManifest : kManifest + " ",
                          {{"Content-Type", kType}, {"Docker-Content-Digest", digest_of(kManifest)}});
      reply.send(half ? whole.substr(0, whole.size() - 20) : whole);
      reply.close();
    }));
    BuildRequest told = request(server);
    EXPECT_NE(error_of([&] {
                std::stop_source stop;
                const registry::Logins logins;
                registry::RegistryClient client(logins, quick());
                find_published(client, registry::parse_reference(told.tags.front()), stop.get_token());
              }),
              "")
        << half;
    EXPECT_THAT(server.lines(), Not(Contains(StartsWith("PUT"))));
  }
}

TEST_F(Unchanged, WithoutAnEngineAChangedInputIsRefusedWithTheMend) {
  const ScriptedServer server(after_probe(
      [](const ScriptedRequest&, ScriptedReply& reply) { reply.send(scripted_answer(404, "{}")); }));
  EXPECT_THAT(error_of([&] { build_image(request(server), dir_.path(), {}); }),
              AllOf(StartsWith("unavailable: "), HasSubstr("there is no engine that could build an image")));
}

}  // namespace
}  // namespace runner::builds
