#include "runner/git/remote_url.h"

#include <gtest/gtest.h>

#include "runner/base/error.h"

namespace runner::git {
namespace {

struct UrlCase {
  const char* url;
  const char* shown;
  const char* project;
};

TEST(RemoteUrl, LosesItsCredentialsAndNamesTheProject) {
  const UrlCase cases[] = {
      {"https://example.org/group/sub/name.git", "https://example.org/group/sub/name.git", "group/sub/name"},
      {"https://user:secret@example.org/group/name", "https://example.org/group/name", "group/name"},
      {"https://token@example.org:8443/group/name.git/", "https://example.org:8443/group/name.git/",
       "group/name"},
      {"http://a:b@c@example.org/g/n", "http://example.org/g/n", "g/n"},
      {"ssh://git@example.org:22/group/name.git", "ssh://git@example.org:22/group/name.git", "group/name"},
      {"ssh://git:secret@example.org/group/name.git", "ssh://git@example.org/group/name.git", "group/name"},
      {"git@example.org:group/name.git", "git@example.org:group/name.git", "group/name"},
      {"https://example.org/g/n.git?token=x@y", "https://example.org/g/n.git?token=x@y", "g/n"},
      {"/srv/git/name.git", "/srv/git/name.git", "name"},
      {"../other", "../other", "other"},
      {"file:///srv/git/name", "file:///srv/git/name", "name"},
      {"https://example.org", "https://example.org", ""},
      {"", "", ""},
  };
  for (const UrlCase& c : cases) {
    EXPECT_EQ(without_credentials(c.url), c.shown);
    EXPECT_EQ(project_path_of(c.url), c.project) << c.url;
  }
}

TEST(RemoteUrl, IsTakenApart) {
  const struct {
    const char* url;
    Scheme scheme;
    const char* user;
    const char* password;
    const char* authority;
    const char* path;
  } cases[] = {
      {"/srv/a b.git", Scheme::local, "", "", "", "/srv/a b.git"},
      {"file:///srv/a%20b.git", Scheme::local, "", "", "", "/srv/a b.git"},
      {"./host:path", Scheme::local, "", "", "", "./host:path"},
      {"https://Example.org/g/n.git", Scheme::https, "", "", "example.org", "/g/n.git"},
      {"http://a%40b:c%3Ad@example.org:8080/n?x=1#y", Scheme::http, "a@b", "c:d", "example.org:8080",
       "/n?x=1"},
      {"https://t@[::1]:443/n", Scheme::https, "t", "", "[::1]", "/n"},
      {"ssh://git@example.org:2222/~ann/n.git", Scheme::ssh, "git", "", "example.org:2222", "~ann/n.git"},
      {"git@example.org:g/n.git", Scheme::ssh, "git", "", "example.org", "g/n.git"},
  };
  for (const auto& c : cases) {
    const RemoteUrl url = parse_remote_url(c.url);
    EXPECT_EQ(url.scheme, c.scheme) << c.url;
    EXPECT_EQ(url.user, c.user) << c.url;
    EXPECT_EQ(url.password, c.password) << c.url;
    if (url.scheme != Scheme::local) {
      EXPECT_EQ(url.authority(), c.authority) << c.url;
    }
    EXPECT_EQ(url.path, c.path) << c.url;
  }
}

TEST(RemoteUrl, WhatNoServerMayBeToldIsRefused) {
  for (const char* url :
       {"", "-x", "--upload-pack=touch x", "ext::sh -c x", "git://example.org/n", "https://", "https://:80/n",
        "https://example.org:0/n", "https://example.org:99999/n", "https://[::1/n", "ssh://-x/n", "host:-x",
        "file://other/n", "https://example.org/a\nb", "host:"}) {
    try {
      parse_remote_url(url);
      ADD_FAILURE() << url;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_input) << url;
    }
  }
}

TEST(RemoteUrl, TextsLoseTheCredentialsOfTheUrlsInThem) {
  EXPECT_EQ(mask_urls("see https://ann:s3cret@h/x and 'ssh://git@h'"),
            "see https://***@h/x and 'ssh://***@h'");
  EXPECT_EQ(mask_urls("https://h/a@b ://"), "https://h/a@b ://");
}

}  // namespace
}  // namespace runner::git
