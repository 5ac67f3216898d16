// Where a repository is at home, by its address and by what people say.
#include "runner/forge/forge.h"

#include <gtest/gtest.h>

namespace runner::forge {
namespace {

struct Case {
  std::string url, forge, api, repository;  // settings
  ForgeKind kind;
  std::string expected_api, expected_repository;
  bool same_host;
};

TEST(ForgePlace, IsGuessedFromTheAddressAndMayBeSaid) {
  using enum ForgeKind;
  const Case cases[] = {
      {"https://github.com/me/shop.git", "", "", "", github, "https://api.github.com", "me/shop", true},
      {"git@github.com:me/shop.git", "", "", "", github, "https://api.github.com", "me/shop", true},
      {"ssh://git@ssh.github.com:443/me/shop", "", "", "", github, "https://api.github.com", "me/shop", true},
      {"https://gitlab.com/g/sub/shop.git", "", "", "", gitlab, "https://gitlab.com/api/v4", "g/sub/shop",
       true},
      {"ssh://git@altssh.gitlab.com:443/g/shop.git", "", "", "", gitlab, "https://gitlab.com/api/v4",
       "g/shop", false},
      {"git@codeberg.org:me/shop.git", "", "", "", gitea, "https://codeberg.org/api/v1", "me/shop", true},
      {"https://git.example.com:8443/me/shop", "gitea", "", "", gitea, "https://git.example.com:8443/api/v1",
       "me/shop", true},
      {"http://git.example.com/me/shop", "gitlab", "", "", gitlab, "http://git.example.com/api/v4", "me/shop",
       true},
      {"https://ghe.example.com/me/shop", "github", "", "", github, "https://ghe.example.com/api/v3",
       "me/shop", true},
      {"ssh://git@git.example.com:2222/me/shop.git", "gitea", "", "", gitea, "https://git.example.com/api/v1",
       "me/shop", true},
      {"https://example.com/git/me/shop.git", "gitea", "https://example.com/git/api/v1/", "me/shop", gitea,
       "https://example.com/git/api/v1", "me/shop", true},
      // Not the host that the repository's token is for, or not as well guarded.
      {"https://git.example.com/me/shop", "gitea", "https://evil.example/api/v1", "", gitea,
       "https://evil.example/api/v1", "me/shop", false},
      {"https://git.example.com/me/shop", "gitea", "http://git.example.com/api/v1", "", gitea,
       "http://git.example.com/api/v1", "me/shop", false},
      {"https://git.example.com/me/shop", "gitea", "https://git.example.com:444/api/v1", "", gitea,
       "https://git.example.com:444/api/v1", "me/shop", false},
      {"/srv/git/shop.git", "github", "https://api.github.com", "me/shop", github, "https://api.github.com",
       "me/shop", false},
      {"https://github.com/me/shop.git", "none", "", "", none, "", "", false},
      {"https://git.example.com/me/shop", "", "", "", none, "", "", false},
      {"https://github.com.evil.example/me/shop", "", "", "", none, "", "", false},
      {"/srv/git/shop.git", "", "", "", none, "", "", false},
  };
  for (const Case& one : cases) {
    storage::ProjectRecord project;
    project.url = one.url;
    project.forge = one.forge;
    project.forge_api = one.api;
    project.forge_repository = one.repository;
    const ForgePlace place = place_of(project);
    EXPECT_EQ(place.kind, one.kind) << one.url << " " << place.why;
    EXPECT_EQ(place.api, one.expected_api) << one.url;
    EXPECT_EQ(place.repository, one.expected_repository) << one.url;
    EXPECT_EQ(place.same_host, one.same_host) << one.url << " " << one.api;
    EXPECT_EQ(place.why, "") << one.url;
  }
}

TEST(ForgePlace, SaysWhatIsMissing) {
  storage::ProjectRecord project;
  project.url = "/srv/git/shop.git";
  project.forge = "gitlab";
  EXPECT_NE(place_of(project).why.find("--forge-api"), std::string::npos);
  project.forge_api = "https://git.example.com/api/v4";
  EXPECT_NE(place_of(project).why.find("--forge-repository"), std::string::npos);
  EXPECT_EQ(place_of(project).kind, ForgeKind::none);
}

TEST(ForgePlace, RefusesWhatCanBeNoApiAndNoRepository) {
  for (const char* good :
       {"https://git.example.com/api/v4", "http://127.0.0.1:3000", "https://[::1]:3/api/v1"})
    EXPECT_EQ(api_problem(good), "") << good;
  for (const char* bad : {"", "git.example.com", "ssh://git.example.com/", "https://", "https://u:p@h/api",
                          "https://token@h/api", "https://h/api?x=1", "https://h/a b", "https://h/\nX: y"})
    EXPECT_NE(api_problem(bad), "") << bad;
  for (const char* good : {"me/shop", "group/sub/shop", "me/sh op.x"})
    EXPECT_EQ(repository_problem(good).empty(), std::string_view(good).find(' ') == std::string_view::npos);
  for (const char* bad : {"", "shop", "/shop", "me/", "me//shop", "../shop", "me/..", "me/sh\nop"})
    EXPECT_NE(repository_problem(bad), "") << bad;
}

}  // namespace
}  // namespace runner::forge
