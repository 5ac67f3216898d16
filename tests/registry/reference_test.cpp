#include "registry/reference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runner/base/error.h"

namespace runner::registry {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

const std::string kHex(64, 'a');
const std::string kDigest = "sha256:" + kHex;

TEST(Reference, IsReadAsDockerReadsIt) {
  const struct {
    std::string text;
    Reference expected;
  } cases[] = {
      {"alpine", {"docker.io", "library/alpine", "", ""}},
      {"alpine:3.19", {"docker.io", "library/alpine", "3.19", ""}},
      {"alpine@" + kDigest, {"docker.io", "library/alpine", "", kDigest}},
      {"alpine:3.19@" + kDigest, {"docker.io", "library/alpine", "3.19", kDigest}},
      {"team/app", {"docker.io", "team/app", "", ""}},
      {"docker.io/alpine", {"docker.io", "library/alpine", "", ""}},
      {"index.docker.io/alpine", {"docker.io", "library/alpine", "", ""}},
      {"docker.io/team/app:1", {"docker.io", "team/app", "1", ""}},
      {"localhost/app", {"localhost", "app", "", ""}},
      {"localhost:5000/app:x", {"localhost:5000", "app", "x", ""}},
      {"localhost:5000", {"docker.io", "library/localhost", "5000", ""}},
      {"registry.example:5000/ns/db:9", {"registry.example:5000", "ns/db", "9", ""}},
      {"registry.example/a/b/c/d", {"registry.example", "a/b/c/d", "", ""}},
      {"host:1/app", {"host:1", "app", "", ""}},
      {"Host/app", {"Host", "app", "", ""}},
      {"[::1]:5000/app", {"[::1]:5000", "app", "", ""}},
      {"[2001:DB8::1]/app:1", {"[2001:DB8::1]", "app", "1", ""}},
      {"127.0.0.1:80/a", {"127.0.0.1:80", "a", "", ""}},
      {"a_b/c__d/e-f/g---h/i.j", {"docker.io", "a_b/c__d/e-f/g---h/i.j", "", ""}},
      {"x:_T.a-g", {"docker.io", "library/x", "_T.a-g", ""}},
      {"x@sha512:" + kHex + kHex, {"docker.io", "library/x", "", "sha512:" + kHex + kHex}},
      {"x:" + std::string(128, 't'), {"docker.io", "library/x", std::string(128, 't'), ""}},
      {"team/" + kHex, {"docker.io", "team/" + kHex, "", ""}},
  };
  for (const auto& c : cases) {
    const Reference found = parse_reference(c.text);
    EXPECT_EQ(found, c.expected) << c.text << " gave " << found.text();
    EXPECT_EQ(parse_reference(found.text()).text(), found.text());
  }
}

TEST(Reference, SaysWhatIsAskedFor) {
  EXPECT_EQ(parse_reference("alpine").text(), "docker.io/library/alpine:latest");
  EXPECT_EQ(parse_reference("alpine").wanted(), "latest");
  EXPECT_EQ(parse_reference("alpine:3").wanted(), "3");
  EXPECT_EQ(parse_reference("alpine:3@" + kDigest).wanted(), kDigest);
  EXPECT_EQ(parse_reference("alpine@" + kDigest).text(), "docker.io/library/alpine@" + kDigest);
  EXPECT_EQ(parse_reference("alpine@" + kDigest).wanted_tag(), "");
}

TEST(Reference, WhatIsNoneIsRefusedAtItsCharacter) {
  const struct {
    std::string text;
    int at;
    const char* why;
  } cases[] = {
      {"", 1, "there is no name"},
      {":tag", 1, "no name before"},
      {"@" + kDigest, 1, "no name before"},
      {"a:", 3, "the tag is empty"},
      {"a:-x", 3, "a tag has"},
      {"a:x/y", 3, "a port is a number"},
      {"a:b c", 4, "a tag has"},
      {"a:" + std::string(129, 't'), 131, "at most 128"},
      {"Alpine", 1, "no capital letters"},
      {"team/App", 6, "no capital letters"},
      {"a//b", 3, "is empty"},
      {"a/b/", 5, "is empty"},
      {"/a", 1, "is empty"},
      {"reg.example/", 13, "is empty"},
      {"-a", 1, "small letters and digits"},
      {"a-", 2, "small letters and digits"},
      {"a..b", 2, "small letters and digits"},
      {"a___b", 2, "small letters and digits"},
      {"a.-b", 2, "small letters and digits"},
      {"a b", 2, "small letters and digits"},
      {"a/b\xC3\xA4", 4, "small letters and digits"},
      {"http://reg.example/a", 6, "a port is a number"},
      {"reg.example:99999/a", 13, "a port is a number"},
      {"reg.example:/a", 13, "a port is a number"},
      {"reg..example/a", 5, "part of the host is empty"},
      {"-reg.example/a", 1, "a host has letters"},
      {"reg-.example/a", 4, "a host has letters"},
      {"re_g.example/a", 3, "a host has letters"},
      {"[::1/a", 5, "has no ']'"},
      {"[::g]:1/a", 2, "one of IPv6"},
      {"[::1]x/a", 6, "after ']'"},
      {"a@md5:" + kHex, 3, "'sha256:' or 'sha512:'"},
      {"a@sha256", 3, "'sha256:' or 'sha512:'"},
      {"a@sha256:" + kHex.substr(1), 73, "has 64 digits, this has 63"},
      {"a@sha256:" + kHex + "a", 74, "has 64 digits, this has 65"},
      {"a@sha256:A" + kHex.substr(1), 10, "0 to 9 and a to f"},
      {"a@" + kDigest + "@" + kDigest, 74, "0 to 9 and a to f"},
      {kHex, 1, "id of an image"},
      {std::string(256, 'a'), 256, "at most 255"},
  };
  for (const auto& c : cases) {
    try {
      parse_reference(c.text);
      ADD_FAILURE() << c.text << " was taken";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_input);
      EXPECT_THAT(error.what(), AllOf(StartsWith("image '"), HasSubstr(c.why),
                                      HasSubstr("', character " + std::to_string(c.at) + ": ")));
    }
  }
}

TEST(Reference, WhatATerminalWouldObeyIsNotShown) {
  try {
    parse_reference("a\x1b[2J\n");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), StartsWith("image 'a?[2J?', character 2"));
  }
}

TEST(Reference, NamesOfServicesFollowFromTheImage) {
  const struct {
    std::string image;
    std::vector<std::string> hosts;
  } cases[] = {
      {"mysql", {"mysql"}},
      {"mysql:5.7", {"mysql"}},
      {"mysql@" + kDigest, {"mysql"}},
      {"tutum/wordpress", {"tutum__wordpress", "tutum-wordpress"}},
      {"registry.example:5000/ns/db:9", {"registry.example__ns__db", "registry.example-ns-db"}},
      {"registry.example/ns/db:9@" + kDigest, {"registry.example__ns__db", "registry.example-ns-db"}},
      {"localhost:5000/db", {"localhost__db", "localhost-db"}},
      {"docker.io/library/redis:7", {"docker.io__library__redis", "docker.io-library-redis"}},
  };
  for (const auto& c : cases) EXPECT_EQ(service_hosts(c.image), c.hosts) << c.image;
  EXPECT_THROW(service_hosts("a//b"), Error);
}

}  // namespace
}  // namespace runner::registry
