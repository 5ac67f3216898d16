// What is pure: waits, addresses, manifests, what is shown of others' words.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "registry/retry.h"
#include "registry/shown.h"
#include "registry/url.h"
#include "tests/registry/client_fixture.h"

namespace runner::registry {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using testing::descriptor_of;
using testing::digest_of;
using testing::error_of;
using ::testing::HasSubstr;
using testing::json_of;
using ::testing::StartsWith;

TEST(BackOff, DoublesUpToTheLongestAndHeedsTheServer) {
  const RetryLimits limits;
  const struct {
    int failures;
    std::chrono::milliseconds retry_after;
    double chance;
    std::chrono::milliseconds expected;
  } cases[] = {
      {1, 0ms, 1, 500ms}, {1, 0ms, 0, 250ms},  {2, 0ms, 1, 1s},     {3, 0ms, 0.5, 1500ms},
      {7, 0ms, 1, 30s},   {1000, 0ms, 1, 30s}, {1, 10s, 0, 10s},    {9, 10s, 1, 30s},
      {1, 2h, 1, 2h},     {1, 0ms, 7, 500ms},  {1, 0ms, -7, 250ms}, {0, 0ms, 1, 500ms},
  };
  for (const auto& c : cases) EXPECT_EQ(back_off(limits, c.failures, c.retry_after, c.chance), c.expected);
}

TEST(Url, IsTakenApartAndResolved) {
  const Url base = parse_url("https://Reg.example:443/v2/app/blobs/uploads/?x=1");
  EXPECT_EQ(base.text(), "https://reg.example/v2/app/blobs/uploads/?x=1");
  const struct {
    const char* location;
    const char* expected;
  } cases[] = {
      {"/v2/up/1?state=a%3D", "https://reg.example/v2/up/1?state=a%3D"},
      {"https://other.example:8443/x", "https://other.example:8443/x"},
      {"HTTP://other.example:80", "http://other.example/"},
      {"//other.example/x", "https://other.example/x"},
      {"?y=2", "https://reg.example/v2/app/blobs/uploads/?y=2"},
      {"next?last=https://x/", "https://reg.example/v2/app/blobs/uploads/next?last=https://x/"},
      {"/x#part", "https://reg.example/x"},
      {"https://[::1]:5000?q", "https://[::1]:5000/?q"},
  };
  for (const auto& c : cases) EXPECT_EQ(resolve_url(base, c.location).text(), c.expected);
  EXPECT_EQ(with_parameter(parse_url("https://a/b"), "d", "x:y").text(), "https://a/b?d=x%3Ay");
  EXPECT_EQ(with_parameter(parse_url("https://a/b?c"), "d", "x/ \xC3").text(), "https://a/b?c&d=x%2F%20%C3");
}

TEST(Url, WhatIsNoneIsRefusedWithoutItsSecrets) {
  const Url base = parse_url("https://reg.example/");
  for (const char* location :
       {"", "ftp://a/", "https://", "https:///x", "https://:5000/", "https://s3cret@a/", "/a b", "/a\r\nX: y",
        "https://a\x7f/", "https://a,b/?s3cret", "https://\xC3\xA4/"}) {
    EXPECT_THAT(error_of([&] { resolve_url(base, location); }),
                AllOf(StartsWith("unavailable: the registry gives an address that "),
                      ::testing::Not(HasSubstr("s3cret"))))
        << location;
  }
  EXPECT_THAT(error_of([&] { resolve_url(base, "/" + std::string(20'000, 'x')); }), HasSubstr("too long"));
}

TEST(Url, OnlyThisMachineIsLocal) {
  for (const char* host : {"localhost", "localhost:5000", "127.0.0.1", "127.1.2.3:1", "[::1]:5000"})
    EXPECT_TRUE(is_local(host)) << host;
  for (const char* host : {"localhost.example", "127.evil.example", "127.0.0.x", "127.0.0.1.example",
                           "128.0.0.1", "[::2]", "", "0.0.0.0"})
    EXPECT_FALSE(is_local(host)) << host;
}

TEST(Shown, IsOneLineThatNoTerminalObeys) {
  EXPECT_EQ(harmless("a\x1b[2J\r\n\tb\x7f"), "a?[2J???b?");
  EXPECT_EQ(harmless("\xC3\xA4\xC2\x9B\xC2\xA0"), "\xC3\xA4?\xC2\xA0");
  EXPECT_EQ(harmless("\xFF"), "\xEF\xBF\xBD");
  EXPECT_EQ(harmless("abcdef", 3), "abc");
}

TEST(Manifest, ThePlatformOfAnIndexIsTheNearest) {
  const auto entry = [](const char* os, const char* architecture, const char* variant, const char* name) {
    return IndexEntry{descriptor_of(name), {os, architecture, variant}};
  };
  const std::vector<IndexEntry> entries = {
      entry("", "", "", "none"),
      entry("unknown", "unknown", "", "attestation"),
      entry("linux", "arm", "v5", "arm5"),
      entry("linux", "arm", "v7", "arm7"),
      entry("linux", "arm", "v6", "arm6"),
      entry("linux", "arm64", "v8", "arm64"),
      entry("windows", "amd64", "", "win"),
      entry("linux", "amd64", "v3", "amd3"),
      entry("linux", "amd64", "", "amd1"),
  };
  const struct {
    Platform wanted;
    const char* name;
  } cases[] = {
      {{"linux", "amd64", ""}, "amd1"},    {{"linux", "amd64", "v2"}, "amd1"},
      {{"linux", "amd64", "v4"}, "amd3"},  {{"linux", "arm64", ""}, "arm64"},
      {{"linux", "arm64", "v8"}, "arm64"}, {{"linux", "arm", "v7"}, "arm7"},
      {{"linux", "arm", "v6"}, "arm6"},    {{"linux", "arm", ""}, "arm7"},
      {{"windows", "amd64", ""}, "win"},
  };
  for (const auto& c : cases)
    EXPECT_EQ(choose_platform(entries, c.wanted).manifest.digest, digest_of(c.name)) << c.wanted.text();
  EXPECT_THAT(error_of([&] {
                choose_platform(entries, {"linux", "riscv64", ""});
              }),
              AllOf(StartsWith("not_found: "), HasSubstr("'linux/riscv64'"), HasSubstr("linux/arm/v7")));
  EXPECT_THAT(error_of([&] {
                choose_platform({entries[1]}, {"linux", "amd64", ""});
              }),
              HasSubstr("none that names a platform"));
}

TEST(Manifest, WhatIsBrokenIsRefused) {
  const std::string good = json_of(descriptor_of("x"));
  for (const std::string& text :
       {std::string("[]"), std::string("{"), std::string("{}"),
        R"({"config":{},"layers":[]})" + std::string(), R"({"config":)" + good + "}",
        R"({"config":)" + good + R"(,"layers":{}})", R"({"config":)" + good + R"(,"layers":[1]})",
        R"({"config":)" + good + R"(,"layers":[{"digest":"sha256:../../x","size":1}]})",
        R"({"config":)" + good + R"(,"layers":[{"digest":")" + digest_of("y") + R"(","size":-1}]})"})
    EXPECT_THAT(error_of([&] { parse_image(text); }), StartsWith("corrupt: the manifest ")) << text;
  EXPECT_EQ(parse_image(R"({"config":)" + good + R"(,"layers":[)" + good + "]}").layers.size(), 1U);
  EXPECT_THAT(error_of([] { parse_index(R"({"manifests":[{}]})"); }), StartsWith("corrupt: "));
  EXPECT_EQ(parse_index(R"({"manifests":[]})").size(), 0U);
  EXPECT_EQ(manifest_type("{}", "application/vnd.oci.image.index.v1+json; charset=utf-8"),
            testing::kIndexType);
  EXPECT_EQ(manifest_type(R"({"mediaType":")" + testing::kImageType + "\"}", "text/plain"),
            testing::kImageType);
}

}  // namespace
}  // namespace runner::registry
