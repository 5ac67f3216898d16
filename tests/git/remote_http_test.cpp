// Remotes over http and https, against the real git http-backend.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <set>
#include <thread>

#include "runner/base/text.h"
#include "runner/git/mirror.h"
#include "tests/git/git_fixture.h"
#include "tests/git/git_server.h"

namespace runner::git {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::Each;
using ::testing::ElementsAre;
using testing::error_of;
using testing::GitServer;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::Pair;
using ::testing::StartsWith;

struct RemoteHttpTest : ::testing::Test, testing::ServedFixture {
  void SetUp() override {
    init();
    write("a", "1");
    first = commit("first");
    run("git tag -a -m x v1 && git branch feature/x && git update-ref refs/pull/7/head HEAD");
    serve();
  }

  std::string url(const std::string& kind, const std::string& repository = "served.git") {
    if (!server) server.emplace(std::vector<std::string>{"http", top().string(), log().string()});
    return "http://127.0.0.1:" + server->port() + "/" + kind + "/" + repository;
  }
  fs::path log() const { return top() / "requests"; }
  std::string requests() const { return read_file(log()).value_or(""); }
  static RemoteAccess query(const std::string& url) {
    RemoteAccess access;
    access.url = url;
    return access;
  }
  FetchResult fetch(const FetchRequest& request) const {
    return Mirror::open(top() / "mirrors/project.git")->fetch(request);
  }
  static FetchRequest request(const std::string& url) {
    FetchRequest request;
    request.access.url = url;
    return request;
  }

  std::string first;
  std::optional<GitServer> server;
};

TEST_F(RemoteHttpTest, ListsAllRefsInOneRequestOnAConnectionThatIsKept) {
  for (const char* kind : {"plain", "zip"}) {
    const RemoteRefs found = list_refs(query(url(kind)), {});
    const std::string tag = run("git rev-parse v1");
    EXPECT_THAT(
        found.refs,
        ElementsAre(RemoteRef{"refs/heads/feature/x", first, ""}, RemoteRef{"refs/heads/main", first, ""},
                    RemoteRef{"refs/pull/7/head", first, ""}, RemoteRef{"refs/tags/v1", tag, first}));
    EXPECT_EQ(found.default_branch, "main");
  }
  const std::string lines = requests();
  std::set<std::string> ports;
  for (const std::string_view line : split(lines, '\n')) {
    if (!line.empty()) ports.emplace(split(line, ' ').at(3));
  }
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 2) << lines;
  EXPECT_EQ(ports.size(), 1U) << lines;
}

TEST_F(RemoteHttpTest, FetchesAndFollows) {
  const FetchResult result = fetch(request(url("plain")));
  EXPECT_EQ(result.changed_refs, 3U);
  EXPECT_GT(result.bytes, 100U);
  run("git -C ../served.git branch -D feature/x && git commit -q --allow-empty -m second && "
      "git push -q ../served.git main");
  const FetchResult second = fetch(request(url("once")));
  EXPECT_EQ(second.changed_refs, 2U);
  EXPECT_EQ(fetch(request(url("plain"))).changed_refs, 0U);
  const auto mirror = Mirror::open(top() / "mirrors/project.git");
  EXPECT_EQ(mirror->resolve("main"), run("git rev-parse main"));
  EXPECT_EQ(mirror->resolve("feature/x"), "");
  EXPECT_EQ(run("git fsck 2>&1; git rev-parse 'v1^{}'", mirror->directory()), first);
}

TEST_F(RemoteHttpTest, TokensAreSentAndNeverShownOrKept) {
  RemoteAccess asks = query(url("auth"));
  EXPECT_THAT(error_of([&] { list_refs(asks, {}); }),
              AllOf(StartsWith("invalid_input: cannot list the refs of 'http://127.0.0.1:"), HasSubstr("401"),
                    HasSubstr("give the project a user name and a token")));
  asks.username = "ann";
  asks.secret = "wrong-token";
  EXPECT_THAT(error_of([&] { list_refs(asks, {}); }),
              AllOf(StartsWith("invalid_input: "), HasSubstr("refuses the user name or the token"),
                    Not(HasSubstr("wrong-token"))));
  asks.secret = "s3cret:\xC3\xA4";
  EXPECT_EQ(list_refs(asks, {}).refs.size(), 4U);
  const std::string in_url = replace_all(url("auth"), "http://", "http://ann:s3cret:%C3%A4@");
  fetch(request(in_url));
  EXPECT_EQ(run("grep -r s3cret . || true", top() / "mirrors"), "");
  EXPECT_THAT(error_of([&] { fetch(request(replace_all(in_url, "/auth/", "/status/500/"))); }),
              Not(HasSubstr("s3cret")));
}

TEST_F(RemoteHttpTest, NothingOfTheUsersSetUpIsTaken) {
  write_file_atomic(top() / ".netrc", "machine 127.0.0.1 login ann password s3cret:\xC3\xA4\n", 0600, false);
  write_file_atomic(top() / ".gitconfig", "[url \"http://127.0.0.1:1/\"]\n insteadOf = http://\n", 0600,
                    false);
  ::setenv("HOME", top().c_str(), 1);
  EXPECT_THAT(error_of([&] { list_refs(query(url("auth")), {}); }), HasSubstr("wants credentials"));
  EXPECT_EQ(list_refs(query(url("plain")), {}).refs.size(), 4U);
}

TEST_F(RemoteHttpTest, CredentialsDoNotFollowARedirectToAnotherServer) {
  GitServer other({"http", top().string(), (top() / "others").string()});
  FetchRequest fetches = request(url("away", other.port() + "/plain/served.git"));
  fetches.access.username = "ann";
  fetches.access.secret = "s3cret:\xC3\xA4";
  EXPECT_EQ(fetch(fetches).changed_refs, 3U);
  EXPECT_THAT(requests(), HasSubstr(" known\n"));
  const std::string seen = read_file(top() / "others").value_or("");
  EXPECT_THAT(seen, AllOf(HasSubstr("GET /plain/served.git/info/refs"),
                          HasSubstr("POST /plain/served.git/git-upload-pack"), Not(HasSubstr("known"))));
  RemoteAccess refused = fetches.access;
  refused.url = url("away", other.port() + "/auth/served.git");
  EXPECT_THAT(error_of([&] { list_refs(refused, {}); }),
              AllOf(StartsWith("invalid_input: "), HasSubstr("credentials do not follow to another server")));
  // The same server is the same server.
  refused.url = url("away", server->port() + "/auth/served.git");
  EXPECT_EQ(list_refs(refused, {}).refs.size(), 4U);
}

TEST_F(RemoteHttpTest, WhatGoesWrongIsSaidWithItsMend) {
  const struct {
    const char* kind;
    const char* code;
    const char* text;
  } cases[] = {
      {"status/401", "invalid_input: ", "wants credentials"},
      {"status/403", "invalid_input: ", "check what the token may do"},
      {"status/404", "not_found: ", "or it is hidden from strangers"},
      {"status/418", "unavailable: ", "check the address"},
      {"status/429", "unavailable: ", "the next time in 120 s"},
      {"status/500", "unavailable: ", "(because of the weather)"},
      {"status/503", "unavailable: ", "try again later"},
      {"early", "unavailable: ", "in the middle of its answer"},
      {"garbage", "unavailable: ", "no HTTP"},
      {"noise", "unavailable: ", "cannot be understood"},
      {"page", "not_found: ", "a page for browsers"},
      {"endless", "unavailable: ", "has no end"},
      {"loop", "unavailable: ", "again and again"},
      {"ftp", "unavailable: ", "leads away from it"},
      {"login", "not_found: ", "somebody to sign in"},
  };
  for (const auto& c : cases) {
    EXPECT_THAT(error_of([&] { list_refs(query(url(c.kind)), {}); }),
                AllOf(StartsWith(c.code), HasSubstr(c.text)));
    EXPECT_THAT(error_of([&] { fetch(request(url(c.kind))); }), AllOf(StartsWith(c.code), HasSubstr(c.text)));
  }
  EXPECT_THAT(error_of([&] { fetch(request(url("moved-post"))); }),
              AllOf(StartsWith("unavailable: "), HasSubstr("redirects a request that may not follow")));
  EXPECT_THAT(error_of([&] { list_refs(query(url("plain", "nothing.git")), {}); }),
              StartsWith("not_found: "));
  EXPECT_THAT(error_of([&] { list_refs(query("http://nowhere.invalid/x.git"), {}); }),
              AllOf(StartsWith("unavailable: "), HasSubstr("the host cannot be found")));
  EXPECT_EQ(list_refs(query(url("move")), {}).refs.size(), 4U);
}

TEST_F(RemoteHttpTest, WhatIsTooLongIsLeft) {
  RemoteLimits limits;
  limits.ref_bytes = 100;
  EXPECT_THAT(error_of([&] { list_refs(query(url("plain")), limits); }),
              AllOf(StartsWith("invalid_input: "), HasSubstr("more than 100 B")));
  limits.ref_bytes = 1 << 20;
  EXPECT_THAT(error_of([&] { list_refs(query(url("bomb")), limits); }),
              AllOf(StartsWith("invalid_input: "), HasSubstr("more than 1.0 MiB")));
}

TEST_F(RemoteHttpTest, AServerThatHangsIsLeftInTime) {
  for (const char* kind : {"hang", "one-byte"}) {
    RemoteLimits limits;
    limits.stall = 100ms;
    EXPECT_THAT(error_of([&] { list_refs(query(url(kind)), limits); }),
                AllOf(StartsWith("timeout: "), HasSubstr("sent nothing within 100 ms")));
  }
  RemoteLimits whole;
  whole.stall = 10s;
  whole.total = 300ms;
  EXPECT_THAT(error_of([&] { list_refs(query(url("trickle")), whole); }),
              AllOf(StartsWith("timeout: "), HasSubstr("longer than 300 ms")));
  FetchRequest stalls = request(url("stall"));
  write("big", run("head -c 200000 /dev/urandom | base64"));
  commit("big");
  run("git push -q --mirror ../served.git");
  stalls.limits.stall = 100ms;
  EXPECT_THAT(error_of([&] { fetch(stalls); }), StartsWith("timeout: "));
  stalls.limits.stall = 1h;
  std::stop_source source;
  stalls.stop = source.get_token();
  stalls.progress = [&](const FetchProgress&) { source.request_stop(); };
  EXPECT_THAT(error_of([&] { fetch(stalls); }), AllOf(StartsWith("cancelled: "), HasSubstr("was stopped")));
  EXPECT_THAT(error_of([&] { fetch(request(url("cut"))); }),
              AllOf(StartsWith("unavailable: "), HasSubstr("in the middle")));
  FetchRequest small = request(url("plain"));
  small.limits.pack_bytes = 10000;
  EXPECT_THAT(error_of([&] { fetch(small); }), AllOf(StartsWith("invalid_input: "), HasSubstr("9.8 KiB")));
  EXPECT_GT(fetch(request(url("plain"))).bytes, 100000U);
  EXPECT_EQ(
      run("git fsck 2>&1; ls -A objects/pack | grep -v '^pack-' || true", top() / "mirrors/project.git"), "");
}

TEST_F(RemoteHttpTest, AWaitIsInterruptedFromAnotherThread) {
  const RemoteAccess asks = query(url("hang"));
  std::stop_source source;
  std::thread stopper([&] {
    while (requests().find("/hang/") == std::string::npos) std::this_thread::yield();
    source.request_stop();
  });
  EXPECT_THAT(error_of([&] { list_refs(asks, {}, source.get_token()); }), StartsWith("cancelled: "));
  stopper.join();
}

TEST_F(RemoteHttpTest, ManyThreadsFetchAtTheSameTime) {
  const std::string where = url("plain"), cut = url("cut");
  write("big", run("head -c 100000 /dev/urandom | base64"));
  commit("big");
  run("git push -q --mirror ../served.git");
  std::vector<std::thread> threads;
  std::array<std::string, 6> errors;
  for (std::size_t i = 0; i < errors.size(); ++i) {
    threads.emplace_back([&, i] {
      const auto mirror = Mirror::open(top() / ("mirrors/" + std::to_string(i % 4) + ".git"));
      errors[i] = error_of([&] {
        EXPECT_THAT(error_of([&] { mirror->fetch(request(cut)); }), AnyOf("", StartsWith("unavailable: ")));
        mirror->fetch(request(where));
        EXPECT_EQ(list_refs(query(where), {}).refs.size(), 4U);
      });
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(errors, Each(std::string()));
}

TEST_F(RemoteHttpTest, AServerKilledInTheMiddleOfAFetchLeavesTheMirrorAsItWas) {
  fetch(request(url("plain")));
  write("big", run("head -c 200000 /dev/urandom | base64"));
  const std::string second = commit("big");
  run("git push -q --mirror ../served.git");
  FetchRequest stalls = request(url("stall"));
  bool killed = false;
  stalls.progress = [&](const FetchProgress&) {
    if (!std::exchange(killed, true)) server->kill();
  };
  EXPECT_THAT(error_of([&] { fetch(stalls); }), StartsWith("unavailable: "));
  EXPECT_TRUE(killed);
  EXPECT_EQ(Mirror::open(top() / "mirrors/project.git")->resolve("main"), first);
  server.reset();
  fetch(request(url("plain")));
  EXPECT_EQ(Mirror::open(top() / "mirrors/project.git")->resolve("main"), second);
}

TEST_F(RemoteHttpTest, AnEmptyRepositoryHasNoRefs) {
  run("git init -q --bare -b trunk empty.git && git init -q --object-format=sha256 other && "
      "git -C other commit -q --allow-empty -m x && git clone -q --bare other other.git",
      top());
  EXPECT_EQ(list_refs(query(url("plain", "empty.git")), {}).refs.size(), 0U);
  EXPECT_EQ(fetch(request(url("plain", "empty.git"))).changed_refs, 0U);
  for (const std::string& where : {url("plain", "other.git"), (top() / "other.git").string()}) {
    EXPECT_THAT(error_of([&] { list_refs(query(where), {}); }),
                AllOf(StartsWith("invalid_input: "), HasSubstr("SHA-256")));
    EXPECT_THAT(error_of([&] { fetch(request(where)); }),
                AllOf(StartsWith("invalid_input: "), HasSubstr("SHA-256")));
  }
}

TEST_F(RemoteHttpTest, TenThousandRefsAreTaken) {
  // Written by hand, as git takes a minute to make each a file. Without a header the order is of no matter.
  run("git pack-refs --all && grep -v '^#' packed-refs > all && for i in $(seq 10000); do echo " + first +
          " refs/heads/b$i; done >> all && mv all packed-refs",
      top() / "served.git");
  EXPECT_EQ(list_refs(query(url("plain")), {}).refs.size(), 10004U);
  EXPECT_EQ(fetch(request(url("plain"))).changed_refs, 10003U);
  EXPECT_EQ(fetch(request(url("plain"))).changed_refs, 0U);
}

TEST_F(RemoteHttpTest, NamesThatNoRefMayHaveArePassedOver) {
  fetch(request(url("plain")));
  EXPECT_EQ(fetch(request(url("names", first))).changed_refs, 4U);
  const auto mirror = Mirror::open(top() / "mirrors/project.git");
  EXPECT_THAT(mirror->refs("refs/"), ElementsAre(Pair("refs/heads/good", first)));
  EXPECT_EQ(run("git for-each-ref --format='%(refname)' 2>&1", mirror->directory()), "refs/heads/good");
}

TEST_F(RemoteHttpTest, WhatTheServerDoesNotKnowIsToldInManyRounds) {
  commit_many(70);
  run("git push -q ../served.git main");
  fetch(request(url("plain")));
  start_anew();
  fetch(request(url("plain")));
  EXPECT_EQ(Mirror::open(top() / "mirrors/project.git")->resolve("main"), run("git rev-parse main"));
  EXPECT_EQ(run("git fsck --no-dangling 2>&1", top() / "mirrors/project.git"), "");
  const std::string lines = requests();
  EXPECT_GT(std::count(lines.begin(), lines.end(), '\n'), 5) << lines;
}

TEST_F(RemoteHttpTest, AHistoryThatIsCutOffThereIsRefused) {
  run("git commit -q --allow-empty -m next && rm -rf ../served.git && "
      "git clone -q --bare --depth 1 'file://" +
      work().string() + "' ../served.git");
  EXPECT_THAT(error_of([&] { fetch(request(url("plain"))); }),
              AllOf(StartsWith("invalid_input: "), HasSubstr("git fetch --unshallow")));
}

TEST_F(RemoteHttpTest, ForcedPushesWhileItIsFetchedLeaveItWhole) {
  const std::string where = url("plain");
  std::thread pusher([&] {
    for (int i = 0; i < 12; ++i) {
      write("a", std::to_string(i));
      run("git commit -qa --amend -m " + std::to_string(i) + " && git push -qf ../served.git main");
    }
  });
  const auto mirror = Mirror::open(top() / "mirrors/project.git");
  for (int i = 0; i < 12; ++i) {
    // A server may refuse what was just forced away; the next fetch sees the new state.
    const std::string error = error_of([&] { mirror->fetch(request(where)); });
    if (!error.empty()) {
      EXPECT_THAT(error, StartsWith("unavailable: "));
    }
  }
  pusher.join();
  mirror->fetch(request(where));
  EXPECT_EQ(mirror->resolve("main"), run("git rev-parse HEAD"));
  EXPECT_EQ(run("git fsck --no-dangling 2>&1 | grep -v ^notice || true", mirror->directory()), "");
}

struct RemoteTlsTest : RemoteHttpTest {
  void SetUp() override {
    RemoteHttpTest::SetUp();
    run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=Ours "
        "-keyout ca.key -out ca.pem 2>/dev/null; "
        "openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost -keyout "
        "key.pem "
        "-out request.pem 2>/dev/null; echo 'subjectAltName=DNS:localhost' > names; "
        "openssl x509 -req -in request.pem -CA ca.pem -CAkey ca.key -days 2 -extfile names -out cert.pem "
        "2>/dev/null",
        top());
    server.emplace(std::vector<std::string>{"http", top().string(), log().string(),
                                            (top() / "cert.pem").string(), (top() / "key.pem").string()});
  }
};

TEST_F(RemoteTlsTest, OnlyTheNamedAuthorityIsTrustedAndOnlyForItsName) {
  RemoteAccess asks = query("https://localhost:" + server->port() + "/plain/served.git");
  EXPECT_THAT(error_of([&] { list_refs(asks, {}); }),
              AllOf(StartsWith("invalid_input: "), HasSubstr("certificate is not trusted"),
                    HasSubstr("name the file of the certificate authority")));
  asks.authorities = top() / "ca.pem";
  EXPECT_EQ(list_refs(asks, {}).refs.size(), 4U);
  FetchRequest fetches = request(asks.url);
  fetches.access = asks;
  EXPECT_EQ(fetch(fetches).changed_refs, 3U);
  asks.url = "https://127.0.0.1:" + server->port() + "/plain/served.git";
  EXPECT_THAT(error_of([&] { list_refs(asks, {}); }),
              AllOf(StartsWith("invalid_input: "), HasSubstr("127.0.0.1"),
                    HasSubstr("must use a name that is in it")));
  asks.authorities = top() / "missing.pem";
  EXPECT_THAT(error_of([&] { list_refs(asks, {}); }), HasSubstr("it must be a PEM file"));
  asks.url = "http://127.0.0.1:" + server->port() + "/plain/served.git";
  EXPECT_THAT(error_of([&] { list_refs(asks, {}); }), StartsWith("unavailable: "));
}

}  // namespace
}  // namespace runner::git
