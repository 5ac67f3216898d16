#include "registry/logins.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <thread>

#include "runner/base/base64.h"
#include "runner/base/error.h"
#include "runner/base/files.h"

namespace runner::registry {
namespace {

using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

template <typename Call>
std::string error_of(Call call) {
  try {
    call();
  } catch (const Error& error) {
    return std::string(to_string(error.code())) + ": " + error.what();
  }
  return "";
}

std::string auth(const std::string& both) {
  return R"({"auth":")" + to_base64(both) + "\"}";
}

/// "user:password", "token:..." or "nobody".
std::string who(const Logins& logins, const std::string& image) {
  const std::optional<Login> found = logins.find(parse_reference(image));
  if (!found) return "nobody";
  return found->identity_token.empty() ? found->username + ':' + found->password
                                       : "token:" + found->identity_token;
}

Logins of(const std::string& json, LoginTrust trust = LoginTrust::job) {
  Logins logins;
  logins.add(parse_logins(json, "DOCKER_AUTH_CONFIG", trust));
  return logins;
}

TEST(Logins, AreFoundByHostAndByTheLongestPath) {
  const Logins logins = of(R"({"auths":{
    "https://index.docker.io/v1/":)" +
                           auth("hub:h:1") + R"(,
    "https://Old.example/v2/":)" +
                           auth("old:o") + R"(,
    "http://plain.example:5000":)" +
                           auth("plain:p") + R"(,
    "reg.example:5000":)" + auth("whole:w") +
                           R"(,
    "reg.example:5000/team":)" +
                           auth("team:t") + R"(,
    "reg.example:5000/team/app/":)" +
                           auth("app:a") + R"(,
    "slash.example/v1/":)" +
                           auth("slash:s") + R"(,
    "fields.example":{"username":"u","password":"pw","email":"x@y"},
    "token.example":{"auth":")" +
                           to_base64("00:") + R"(","identitytoken":"id"},
    "empty.example":{}}})");
  const struct {
    const char* image;
    const char* expected;
  } cases[] = {
      {"alpine", "hub:h:1"},
      {"team/app:1", "hub:h:1"},
      {"old.example/a", "old:o"},
      {"plain.example:5000/a", "plain:p"},
      {"plain.example/a", "nobody"},
      {"reg.example:5000/a", "whole:w"},
      {"reg.example:5000/team/x", "team:t"},
      {"reg.example:5000/team", "team:t"},
      {"reg.example:5000/teams/x", "whole:w"},
      {"reg.example:5000/team/app:3", "app:a"},
      {"reg.example:5000/team/app/sub", "app:a"},
      {"reg.example:5000/team/apps", "team:t"},
      {"reg.example/team/app", "nobody"},
      {"slash.example/a", "slash:s"},
      {"fields.example/a", "u:pw"},
      {"token.example/a", "token:id"},
      {"empty.example/a", "nobody"},
  };
  for (const auto& c : cases) EXPECT_EQ(who(logins, c.image), c.expected) << c.image;
}

TEST(Logins, TheFirstSourceThatKnowsDecides) {
  Logins logins = of(R"({"auths":{"a.example":)" + auth("first:1") + "}}");
  logins.add(single_login("ci.example:5050", {"ci", "job-token", ""}, "CI_REGISTRY"));
  logins.add(parse_logins(R"({"auths":{"a.example/x":)" + auth("last:2") + R"(,"ci.example:5050":)" +
                              auth("last:2") + R"(,"b.example":)" + auth("last:2") + "}}",
                          "'/etc/auth.json'", LoginTrust::owner));
  EXPECT_EQ(who(logins, "a.example/x/y"), "first:1");
  EXPECT_EQ(who(logins, "ci.example:5050/a"), "ci:job-token");
  EXPECT_EQ(who(logins, "b.example/a"), "last:2");
  EXPECT_EQ(who(logins, "c.example/a"), "nobody");
}

TEST(Logins, WhatCannotBeReadIsSaidWithoutItsSecrets) {
  const struct {
    std::string json;
    const char* why;
  } cases[] = {
      {"", "no JSON"},
      {"{\"auths\":", "no JSON"},
      {"[]", "no object of JSON"},
      {R"({"auths":["s3cret"]})", "'auths' is no object"},
      {R"({"auths":{"a.example":"s3cret"}})", "'a.example' is no object"},
      {R"({"auths":{"a.example":{"auth":"s3cret!"}}})", "'auth' of 'a.example' is not the base64"},
      {R"({"auths":{"a.example":{"auth":")" + to_base64("s3cret") + "\"}}}", "'auth' of 'a.example' is not"},
      {R"({"auths":{"a.example":{"auth":")" + to_base64(":s3cret") + "\"}}}", "'auth' of 'a.example' is not"},
      {R"({"auths":{"a.example":{"password":17}}})", "'password' of 'a.example' is no text"},
      {R"({"auths":{"a\u001b[2J":{"password":17}}})", "of 'a?[2J' is no text"},
      {R"({"auths":{"https://":{"username":"s3cret"}}})", "names no host"},
      {R"({"credHelpers":{"a.example":1}})", "the helper of 'a.example' is no text"},
      {R"({"credsStore":{}})", "'credsStore' is no text"},
      {std::string((1U << 20U) + 1, ' '), "longer than 1.0 MiB"},
  };
  for (const auto& c : cases) {
    EXPECT_THAT(error_of([&] { of(c.json); }),
                AllOf(StartsWith("invalid_input: cannot read the logins of DOCKER_AUTH_CONFIG: "),
                      HasSubstr(c.why), Not(HasSubstr("s3cret"))));
  }
  EXPECT_EQ(who(of("{}"), "alpine"), "nobody");
}

TEST(Logins, AFileThatIsNotThereIsNoError) {
  const TempDir directory;
  EXPECT_FALSE(read_logins(directory.path() / "config.json", LoginTrust::owner));
  write_file_atomic(directory.path() / "config.json", "nonsense");
  EXPECT_THAT(error_of([&] { read_logins(directory.path() / "config.json", LoginTrust::owner); }),
              HasSubstr((directory.path() / "config.json").string()));
}

TEST(Logins, EnginesAreToldInTheirField) {
  const auto told = [](const std::optional<Login>& login, const char* host) {
    return from_base64(registry_auth_header(login, host)).value_or("none");
  };
  EXPECT_EQ(told(Login{"ann", "p\"w\xC3\xA4", ""}, "reg.example:5000"),
            R"({"password":"p\"wä","serveraddress":"reg.example:5000","username":"ann"})");
  EXPECT_EQ(told(Login{"", "", "id"}, "docker.io"),
            R"({"identitytoken":"id","serveraddress":"https://index.docker.io/v1/"})");
  EXPECT_EQ(told({}, "docker.io"), "{}");
  EXPECT_THAT(registry_auth_header(Login{"~~~???", "~~~???", ""}, "h"), Not(HasSubstr("/")));
}

struct HelperTest : ::testing::Test {
  void SetUp() override {
    old_path = std::getenv("PATH");
    ::setenv("PATH", (directory.path().string() + ":" + old_path).c_str(), 1);
  }
  void TearDown() override { ::setenv("PATH", old_path.c_str(), 1); }
  void helper(const std::string& name, const std::string& script) const {
    write_file_atomic(directory.path() / ("docker-credential-" + name), "#!/bin/sh\n" + script, 0755, false);
  }
  std::string seen() const { return read_file(directory.path() / "seen").value_or(""); }

  TempDir directory;
  std::string old_path;
  const std::string note =
      "printf '%s %s' \"$1\" \"$(cat)\" > " + (directory.path() / "seen").string() + "\n";
};

TEST_F(HelperTest, AreAskedWhenTheSourceIsTheOwners) {
  helper("one", note + R"(echo '{"ServerURL":"x","Username":"ann","Secret":"s3cret"}')");
  helper("tokens", note + R"(echo '{"Username":"<token>","Secret":"refresh"}')");
  const std::string json = R"({"auths":{"a.example":{},"both.example":)" + auth("file:f") +
                           R"(},"credHelpers":{"t.example":"tokens"},"credsStore":"one"})";
  const Logins logins = of(json, LoginTrust::owner);
  EXPECT_EQ(who(logins, "a.example/x"), "ann:s3cret");
  EXPECT_EQ(seen(), "get a.example");
  EXPECT_EQ(who(logins, "alpine"), "ann:s3cret");
  EXPECT_EQ(seen(), "get https://index.docker.io/v1/");
  EXPECT_EQ(who(logins, "t.example/x"), "token:refresh");
  EXPECT_EQ(who(logins, "both.example/x"), "file:f");
  EXPECT_THAT(logins.remarks(), IsEmpty());
}

TEST_F(HelperTest, AreNeverRunForAJob) {
  helper("one", note + R"(echo '{"Username":"ann","Secret":"s3cret"}')");
  const Logins logins = of(R"({"credHelpers":{"a.example":"one"},"credsStore":"one"})");
  EXPECT_EQ(who(logins, "a.example/x"), "nobody");
  EXPECT_EQ(who(logins, "b.example/x"), "nobody");
  EXPECT_EQ(seen(), "");
  EXPECT_THAT(logins.remarks(), ElementsAre(AllOf(StartsWith("DOCKER_AUTH_CONFIG"), HasSubstr("not run"))));
}

TEST_F(HelperTest, ThatKnowNobodyOrFailAreToldApart) {
  helper("none", "echo 'credentials not found in native keychain'; exit 1");
  helper("fails", "echo 's3cret'; echo 's3cret' >&2; exit 3");
  helper("noise", "echo 's3cret'");
  helper("endless", "yes s3cret");
  const auto with = [](const std::string& name) {
    Logins logins = of(R"({"credsStore":")" + name + "\"}", LoginTrust::owner);
    return error_of([&] { EXPECT_EQ(who(logins, "a.example/x"), "nobody"); });
  };
  EXPECT_EQ(with("none"), "");
  EXPECT_THAT(with("fails"), AllOf(HasSubstr("failed with status 3"), HasSubstr("'a.example'"),
                                   HasSubstr("DOCKER_AUTH_CONFIG"), Not(HasSubstr("s3cret"))));
  EXPECT_THAT(with("noise"), AllOf(HasSubstr("no login"), Not(HasSubstr("s3cret"))));
  EXPECT_THAT(with("endless"), HasSubstr("more than 64.0 KiB"));
  EXPECT_THAT(with("missing"), HasSubstr("no program 'docker-credential-missing'"));
  EXPECT_THAT(with("../evil"), AllOf(StartsWith("invalid_input: "), HasSubstr("a name that is none")));
}

/// Killed: gone, or not yet taken leave of by whoever has it now.
bool is_dead(const std::string& pid) {
  const std::string stat = read_file("/proc/" + pid + "/stat").value_or("");
  return stat.empty() || stat.find(") Z ") != std::string::npos;
}

TEST_F(HelperTest, ThatHangAreEndedWithAllTheyStarted) {
  helper("hangs", "sleep 1000 & echo $! > " + (directory.path() / "child").string() + "; wait");
  Logins logins = of(R"({"credsStore":"hangs"})", LoginTrust::owner);
  logins.helper_time = 300ms;
  EXPECT_THAT(error_of([&] { who(logins, "a.example/x"); }),
              AllOf(StartsWith("timeout: "), HasSubstr("within 300 ms")));
  std::string child = read_file(directory.path() / "child").value_or("");
  child.resize(child.find('\n'));
  const auto deadline = std::chrono::steady_clock::now() + 20s;
  while (!is_dead(child) && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  EXPECT_TRUE(is_dead(child)) << child;
  logins.helper_time = 1h;
  std::stop_source source;
  std::thread stopper([&] { source.request_stop(); });
  EXPECT_THAT(error_of([&] { logins.find(parse_reference("a.example/x"), source.get_token()); }),
              StartsWith("cancelled: "));
  stopper.join();
}

}  // namespace
}  // namespace runner::registry
