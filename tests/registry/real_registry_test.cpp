// The client against the registry that most run.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runner/base/files.h"
#include "runner/base/text.h"
#include "tests/registry/client_fixture.h"
#include "tests/support/real_registry.h"

namespace runner::registry {
namespace {

using test::RealRegistry;
using test::RealRegistryOptions;
using ::testing::AllOf;
using testing::descriptor_of;
using testing::digest_of;
using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using testing::image_of;
using ::testing::IsEmpty;
using testing::json_of;
using ::testing::Not;
using ::testing::StartsWith;
using testing::StillClient;

struct RealRegistryTest : ::testing::Test {
  void use(const RealRegistryOptions& options = {}) {
    registry.emplace(options);
    if (options.tls) client.base.authorities[registry->host()] = registry->authorities();
  }
  Reference image(const std::string& rest) const { return parse_reference(registry->host() + '/' + rest); }
  std::filesystem::path file(const std::string& content) const {
    write_file_atomic(directory.path() / "content", content, 0644, false);
    return directory.path() / "content";
  }
  /// With all its parts.
  Manifest push(const Reference& to, const std::string& config, const std::string& layer) {
    client->push_blob(to, file(config));
    client->push_blob(to, file(layer));
    Manifest manifest = image_of(config, layer);
    client->put_manifest(to, manifest);
    return manifest;
  }

  TempDir directory;
  std::optional<RealRegistry> registry;
  StillClient client;
};

TEST_F(RealRegistryTest, WhatIsPushedIsFoundReadAndMoved) {
  use();
  const Reference to = image("team/app:1");
  EXPECT_EQ(client->find_manifest(to), std::nullopt);
  EXPECT_EQ(client->find_blob(to, digest_of("{}")), std::nullopt);
  const Manifest manifest = push(to, "{}", "a layer");
  EXPECT_EQ(client->find_manifest(to), manifest.descriptor);
  EXPECT_EQ(client->find_blob(to, digest_of("a layer")), 7U);
  EXPECT_EQ(client->fetch_manifest(to).bytes, manifest.bytes);
  const ImageParts parts = parse_image(manifest.bytes);
  EXPECT_EQ(client->read_blob(to, parts.config, 100), "{}");
  client->fetch_blob(to, parts.layers.at(0), directory.path() / "layer");
  EXPECT_EQ(read_file(directory.path() / "layer"), "a layer");

  EXPECT_EQ(client->move_tag(to, "latest"), manifest.descriptor);
  EXPECT_EQ(client->find_manifest(image("team/app")), manifest.descriptor);
  const Reference by_digest = image("team/app@" + manifest.descriptor.digest);
  EXPECT_EQ(client->move_tag(by_digest, "again"), manifest.descriptor);
  EXPECT_THAT(client->list_tags(to), ElementsAre("1", "again", "latest"));

  // Moved to another image.
  const Manifest second = push(image("team/app:2"), "{}", "another layer");
  client->move_tag(image("team/app:2"), "latest");
  EXPECT_EQ(client->find_manifest(image("team/app")), second.descriptor);
  EXPECT_EQ(client->find_manifest(to), manifest.descriptor);
  EXPECT_THAT(client.slept, IsEmpty());
}

TEST_F(RealRegistryTest, AnIndexIsResolvedForAPlatform) {
  use();
  const Manifest amd = push(image("app:amd"), "{}", "amd");
  const Manifest arm = push(image("app:arm"), "{}", "arm");
  Manifest index;
  const auto entry = [](const Manifest& manifest, const char* architecture) {
    std::string text = json_of(manifest.descriptor);
    text.pop_back();
    return text + R"(,"platform":{"os":"linux","architecture":")" + architecture + "\"}}";
  };
  index.bytes = R"({"schemaVersion":2,"mediaType":")" + testing::kIndexType + R"(","manifests":[)" +
                entry(amd, "amd64") + "," + entry(arm, "arm64") + "]}";
  index.descriptor = descriptor_of(index.bytes, testing::kIndexType);
  client->put_manifest(image("app:1"), index);
  const Resolved resolved = client->resolve(image("app:1"), {"linux", "arm64", "v8"});
  EXPECT_EQ(resolved.named, index.descriptor);
  EXPECT_EQ(resolved.platform, arm.descriptor);
  EXPECT_EQ(client->resolve(image("app:amd"), {"linux", "amd64", ""}).platform, amd.descriptor);
  EXPECT_THAT(error_of([&] {
                client->resolve(image("app:1"), {"linux", "s390x", ""});
              }),
              AllOf(StartsWith("not_found: cannot resolve image 'localhost:"),
                    HasSubstr("nothing for 'linux/s390x'; there is linux/amd64, linux/arm64")));
  EXPECT_THAT(error_of([&] { client->resolve(image("app:no"), {}); }),
              AllOf(StartsWith("not_found: "), HasSubstr("/app:no'"), HasSubstr("check its name and tag")));
  EXPECT_THAT(error_of([&] { client->fetch_manifest(image("nothing:1")); }),
              AllOf(StartsWith("not_found: "), HasSubstr("MANIFEST_UNKNOWN"), HasSubstr("answers 404")));
}

TEST_F(RealRegistryTest, BigBlobsGoInChunksAndAreNotSentTwice) {
  use();
  client.base.chunk_bytes = 1U << 20U;
  std::string content;
  for (int i = 0; content.size() < (5U << 20U) + 17; ++i) content += std::to_string(i) + '\n';
  const Descriptor blob = client->push_blob(image("big"), file(content));
  EXPECT_EQ(blob.digest, digest_of(content));
  EXPECT_EQ(client->find_blob(image("big"), blob.digest), content.size());
  client->fetch_blob(image("big"), blob, directory.path() / "back");
  EXPECT_EQ(read_file(directory.path() / "back"), content);
  EXPECT_EQ(client->push_blob(image("big"), directory.path() / "back"), blob);
  const Descriptor nothing = client->push_blob(image("big"), file(""));
  EXPECT_EQ(client->find_blob(image("big"), nothing.digest), 0U);
}

TEST_F(RealRegistryTest, BlobsAreCopiedWithinAndBetweenRegistries) {
  use();
  const Descriptor blob = client->push_blob(image("one"), file("shared"));
  client->copy_blob(image("one"), image("two"), blob);
  EXPECT_EQ(client->find_blob(image("two"), blob.digest), 6U);
  const RealRegistry other;
  const Reference there = parse_reference(other.host() + "/three");
  client->copy_blob(image("one"), there, blob);
  EXPECT_EQ(client->read_blob(there, blob, 100), "shared");
  EXPECT_THAT(error_of([&] { client->copy_blob(image("nobody"), image("four"), descriptor_of("missing")); }),
              AllOf(StartsWith("not_found: "), HasSubstr(digest_of("missing"))));
}

TEST_F(RealRegistryTest, AllTagsAreListedUpToTheLimit) {
  use();
  const Reference to = image("many:t100");
  push(to, "{}", "x");
  // As the registry itself keeps them, which is faster than a hundred requests.
  const auto tags = registry->data() / "docker/registry/v2/repositories/many/_manifests/tags";
  for (int i = 101; i < 200; ++i)
    std::filesystem::copy(tags / "t100", tags / ("t" + std::to_string(i)),
                          std::filesystem::copy_options::recursive);
  const std::vector<std::string> found = client->list_tags(to);
  EXPECT_EQ(found.size(), 100U);
  EXPECT_EQ(found.front(), "t100");
  EXPECT_EQ(found.back(), "t199");
  StillClient small;
  small.base.tags = 80;
  EXPECT_THAT(error_of([&] { small->list_tags(to); }),
              AllOf(StartsWith("invalid_input: "), HasSubstr("more than 80 tags")));
}

TEST_F(RealRegistryTest, AManifestWithoutItsPartsIsRefused) {
  use();
  EXPECT_THAT(error_of([&] { client->put_manifest(image("app:1"), image_of("{}", "missing")); }),
              AllOf(StartsWith("invalid_input: cannot put a manifest as 'localhost:"),
                    HasSubstr("answers 400"), HasSubstr("MANIFEST_BLOB_UNKNOWN")));
  Manifest wrong = image_of("{}", "x");
  wrong.bytes += ' ';
  EXPECT_THAT(error_of([&] { client->put_manifest(image("app:1"), wrong); }), StartsWith("corrupt: "));
}

struct GuardedRegistryTest : RealRegistryTest {
  void SetUp() override { use({true, "ann", "s3cret:pw"}); }
};

TEST_F(GuardedRegistryTest, ALoginOpensItAndNobodyElse) {
  StillClient ann(single_login(registry->host(), {"ann", "s3cret:pw", ""}, "CI_REGISTRY"));
  ann.base = client.base;
  const Descriptor blob = ann->push_blob(image("app"), file("content"));
  EXPECT_EQ(ann->read_blob(image("app"), blob, 100), "content");
  EXPECT_THAT(error_of([&] { client->read_blob(image("app"), blob, 100); }),
              AllOf(StartsWith("invalid_input: "), HasSubstr("wants a user name and a password"),
                    HasSubstr("DOCKER_AUTH_CONFIG")));
  StillClient wrong(single_login(registry->host(), {"ann", "wr0ng", ""}, "CI_REGISTRY"));
  wrong.base = client.base;
  EXPECT_THAT(error_of([&] { wrong->find_manifest(image("app")); }),
              AllOf(StartsWith("invalid_input: "), HasSubstr("refuses the login"), Not(HasSubstr("wr0ng"))));
  EXPECT_THAT(error_of([&] { wrong->push_blob(image("app"), file("x")); }),
              AllOf(StartsWith("invalid_input: "), HasSubstr("refuses the login")));
  EXPECT_THAT(wrong.slept, IsEmpty());
}

TEST_F(GuardedRegistryTest, OnlyTheNamedAuthorityIsTrusted) {
  const auto ask = [&](const ClientOptions& options) {
    StillClient ann(single_login(registry->host(), {"ann", "s3cret:pw", ""}, "CI_REGISTRY"));
    ann.base = options;
    return error_of([&] { EXPECT_EQ(ann->find_manifest(image("app")), std::nullopt); });
  };
  EXPECT_EQ(ask(client.base), "");
  ClientOptions other = client.base;
  const RealRegistry stranger({true, "", ""});
  other.authorities[registry->host()] = stranger.authorities();
  EXPECT_THAT(ask(other), AllOf(StartsWith("invalid_input: "), HasSubstr("certificate is not trusted")));
  ClientOptions insecure;
  insecure.insecure = {registry->host()};
  EXPECT_EQ(ask(insecure), "");
}

}  // namespace
}  // namespace runner::registry
