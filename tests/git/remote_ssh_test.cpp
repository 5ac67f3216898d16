// Remotes over ssh, against a real sshd with a configuration of its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <thread>

#include "runner/base/text.h"
#include "runner/git/mirror.h"
#include "tests/git/git_fixture.h"
#include "tests/git/git_server.h"
#include "tests/git/ssh_server.h"

namespace runner::git {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::error_of;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

struct RemoteSshTest : ::testing::Test, testing::ServedFixture {
  void SetUp() override {
    if (const std::string why = testing::SshServer::missing(); !why.empty()) GTEST_SKIP() << why;
    init();
    write("a", "1");
    first = commit("first");
    serve();
    server.emplace(*this);
  }

  std::string text(const std::string& name) const { return read_file(top() / name).value_or(""); }
  RemoteAccess query(const std::string& key = "key") const {
    RemoteAccess query;
    query.url = server->url(top() / "served.git");
    query.key_file = top() / key;
    write_file_atomic(top() / "known hosts", server->known(), 0600, false);
    query.known_hosts = top() / "known hosts";
    return query;
  }

  std::string first;
  std::optional<testing::SshServer> server;
};

TEST_F(RemoteSshTest, ListsAndFetchesAndFollows) {
  run("git tag -a -m x v1 && git push -q ../served.git v1");
  const RemoteAccess asks = query();
  const RemoteRefs found = list_refs(asks, {});
  EXPECT_THAT(found.refs, ElementsAre(RemoteRef{"refs/heads/main", first, ""},
                                      RemoteRef{"refs/tags/v1", run("git rev-parse v1"), first}))
      << text("log");
  EXPECT_EQ(found.default_branch, "main");
  const auto mirror = Mirror::open(top() / "mirrors/project.git");
  FetchRequest fetches;
  fetches.access = asks;
  EXPECT_EQ(mirror->fetch(fetches).changed_refs, 2U);
  EXPECT_EQ(mirror->fetch(fetches).changed_refs, 0U);
  commit_many(70);
  write("a", "2");
  const std::string second = commit("second");
  run("git push -q ../served.git main");
  EXPECT_GT(mirror->fetch(fetches).bytes, 0U);
  EXPECT_EQ(mirror->resolve("main"), second);
  EXPECT_EQ(run("git fsck 2>&1", mirror->directory()), "");
  start_anew();  // none of the commits here is known there: told in many rounds
  mirror->fetch(fetches);
  EXPECT_EQ(mirror->resolve("main"), run("git rev-parse main"));
  EXPECT_EQ(run("git fsck --no-dangling 2>&1", mirror->directory()), "");
}

TEST_F(RemoteSshTest, TakesKeysOfAllKindsAndSaysWhatIsWrongWithOthers) {
  server->make_key("ecdsa256", "-t ecdsa -b 256 -N ''");
  server->make_key("ecdsa_pem", "-t ecdsa -m PEM -N ''");
  server->make_key("rsa 100%d", "-t rsa -b 2048 -N ''");
  server->make_key("locked", "-t ed25519 -N 'open sesame'");
  server->make_key("stranger", "-t ed25519 -N ''", false);
  for (const char* name : {"ecdsa256", "ecdsa_pem", "rsa 100%d"})
    EXPECT_EQ(error_of([&] { list_refs(query(name), {}); }), "") << name;
  server->make_key("open", "-t ed25519 -N ''");
  ::chmod((top() / "open").c_str(), 0640);
  write_file_atomic(top() / "broken", "no key\n", 0600, false);
  const struct {
    const char* key;
    const char* code;
    const char* text;
  } cases[] = {
      {"locked", "invalid_input: ", "that it has no passphrase"},
      {"stranger", "invalid_input: ", "check that its public half is registered"},
      {"broken", "invalid_input: ", "check the private key"},
      {"open", "invalid_input: ", "'chmod 600' it"},
      {"missing", "not_found: ", "cannot read the private key"},
      {"quo\"te", "invalid_input: ", "takes no file whose name"},
  };
  write_file_atomic(top() / "quo\"te", "no key\n", 0600, false);
  for (const auto& c : cases) {
    EXPECT_THAT(error_of([&] { list_refs(query(c.key), {}); }), AllOf(StartsWith(c.code), HasSubstr(c.text)))
        << c.key;
  }
  RemoteAccess none = query();
  none.key_file.clear();
  EXPECT_THAT(error_of([&] { list_refs(none, {}); }), HasSubstr("ssh needs a private key"));
}

TEST_F(RemoteSshTest, AHostIsTrustedByItsKeyOnly) {
  RemoteAccess asks = query();
  const auto known_are = [&](const std::string& lines) {
    write_file_atomic(asks.known_hosts, lines, 0600, false);
  };
  known_are("# none\n");
  EXPECT_THAT(error_of([&] { list_refs(asks, {}); }),
              AllOf(StartsWith("invalid_input: "), HasSubstr("add it to the known hosts")));
  asks.host_keys = HostKeyPolicy::accept_new;
  EXPECT_EQ(error_of([&] { list_refs(asks, {}); }), "");
  EXPECT_THAT(text("known hosts"), HasSubstr("[127.0.0.1]:" + server->port() + " "));
  asks.host_keys = HostKeyPolicy::strict;
  EXPECT_EQ(error_of([&] { list_refs(asks, {}); }), "");
  for (const HostKeyPolicy policy : {HostKeyPolicy::strict, HostKeyPolicy::accept_new}) {
    known_are("[127.0.0.1]:" + server->port() + " " + text("other_host.pub") +
              "[127.0.0.1]:" + server->port() + " " + replace_all(text("wrong.pub"), "\n", "") + "\n");
    asks.host_keys = policy;
    EXPECT_THAT(error_of([&] { list_refs(asks, {}); }),
                AllOf(StartsWith("invalid_input: "), HasSubstr("the host key has changed")));
  }
  known_are("@revoked * " + text("host.pub") + server->known());
  EXPECT_THAT(error_of([&] { list_refs(asks, {}); }),
              AllOf(StartsWith("invalid_input: "), HasSubstr("revoked")));
  asks.known_hosts.clear();
  EXPECT_THAT(error_of([&] { list_refs(asks, {}); }), HasSubstr("name the known hosts"));
}

TEST_F(RemoteSshTest, MissingRepositoriesAndDeadServersAreToldApart) {
  RemoteAccess asks = query();
  asks.url += ".nowhere";
  EXPECT_THAT(error_of([&] { list_refs(asks, {}); }),
              AllOf(StartsWith("not_found: "), HasSubstr("check the path")));
  asks = query();
  server->stop();
  EXPECT_THAT(
      error_of([&] { list_refs(asks, {}); }),
      AllOf(StartsWith("unavailable: cannot list the refs of 'ssh://"), HasSubstr("cannot be reached")));
  asks.url = "ssh://x@nowhere.invalid/x.git";
  EXPECT_THAT(error_of([&] { list_refs(asks, {}); }), StartsWith("unavailable: "));
}

TEST_F(RemoteSshTest, AServerThatHangsIsLeftInTimeAndNoProcessStays) {
  server->make_key("sleepy", "-t ed25519 -N ''", false);
  run("echo \"restrict,command=\\\"touch '" + (top() / "began").string() +
          "'; sleep 1000\\\" $(cat sleepy.pub)\" >> "
          "authorized",
      top());
  RemoteLimits limits;
  limits.stall = std::chrono::milliseconds(300);
  EXPECT_THAT(error_of([&] { list_refs(query("sleepy"), limits); }),
              AllOf(StartsWith("timeout: "), HasSubstr("sent nothing within 300 ms")));
  limits = {};
  limits.total = std::chrono::milliseconds(300);
  EXPECT_THAT(error_of([&] { list_refs(query("sleepy"), limits); }),
              AllOf(StartsWith("timeout: "), HasSubstr("longer than 300 ms")));
  fs::remove(top() / "began");
  std::stop_source source;
  std::thread stopper([&] {
    while (!fs::exists(top() / "began")) std::this_thread::yield();
    source.request_stop();
  });
  EXPECT_THAT(error_of([&] { list_refs(query("sleepy"), {}, source.get_token()); }),
              StartsWith("cancelled: "));
  stopper.join();
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG | __WALL), 0) << "only the server is a child of ours";
}

TEST_F(RemoteSshTest, NothingOfAnAddressBecomesAnOptionOrACommand) {
  const std::string trap = (top() / "trap").string();
  const std::string urls[] = {"ssh://-oProxyCommand=touch${IFS}" + trap + "/x",
                              "-oProxyCommand=touch " + trap + ":x",
                              "ssh://-oProxyCommand=touch@127.0.0.1/x",
                              "ssh://a$(touch)@127.0.0.1/x",
                              "ssh://a;b/x",
                              "127.0.0.1:-x",
                              "ssh://host\n/x",
                              "ssh://h%20-o/x"};
  for (const std::string& url : urls) {
    RemoteAccess asks = query();
    asks.url = url;
    EXPECT_THAT(error_of([&] { list_refs(asks, {}); }), StartsWith("invalid_input: ")) << url;
  }
  RemoteAccess asks = query();
  asks.url += "'; touch '" + trap + "'; '";
  EXPECT_THAT(error_of([&] { list_refs(asks, {}); }), Not(StartsWith("invalid_input")));
  EXPECT_FALSE(fs::exists(trap));
}

TEST_F(RemoteSshTest, WithoutAClientItSaysWhatToInstall) {
  const std::string before = ::getenv("PATH");
  ::setenv("PATH", top().c_str(), 1);
  const std::string error = error_of([&] { list_refs(query(), {}); });
  ::setenv("PATH", before.c_str(), 1);
  EXPECT_THAT(error, HasSubstr("install openssh-client"));
}

TEST_F(RemoteSshTest, TheOwnSetUpTakesWhatIsGivenBesides) {
  RemoteAccess asks = query();
  asks.own_ssh = true;
  EXPECT_EQ(list_refs(asks, {}).refs.size(), 1U);
}

}  // namespace
}  // namespace runner::git
