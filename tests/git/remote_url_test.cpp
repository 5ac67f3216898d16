#include "runner/git/remote_url.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace runner::git
