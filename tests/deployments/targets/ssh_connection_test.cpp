// How hosts are reached by ssh, and what is said when they are not.
#include "tests/deployments/targets/ssh_fixture.h"

namespace runner::deployments {
namespace {

using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

struct SshConnectionTest : SshTest {
  std::string asked(const SshOptions& options) const {
    return error_of([&] { SshTarget(options).seen_token(unit(), never); });
  }
};

TEST_F(SshConnectionTest, WorksWithTheShellsThatHostsHave) {
  for (const char* with : {"dash", "busybox", "bash"}) {
    hosts.clear();
    units.clear();
    add_host(with);
    const auto target = claimed(1, "d1");
    const Release one = release(std::string("of ") + with);
    target->prepare(unit(), one, never);
    target->place(unit(), Slot::blue, one.id, never);
    target->start(unit(), Slot::blue, never);
    EXPECT_TRUE(target->observe(unit(), never).at(Slot::blue).running) << with;
    EXPECT_EQ(target->run(unit(), Slot::blue, {"x", "exit 4", {}}, {}, never).exit_code, 4);
    EXPECT_EQ(
        target->run(unit(), Slot::blue, {"y", "exit 5", {}, milliseconds(9000), true}, {}, never).exit_code,
        5);
    target->halt(unit(), Slot::blue, milliseconds(2000), never);
    EXPECT_FALSE(target->observe(unit(), never).at(Slot::blue).running) << with;
  }
}

TEST_F(SshConnectionTest, SaysWhyAHostIsNotReached) {
  SshOptions wrong = options();
  wrong.private_key = read_file(hosts[0]->key("wrong")).value_or("");
  EXPECT_THAT(asked(wrong),
              AllOf(StartsWith("invalid_input: host '" + unit()), HasSubstr("authorized_keys")));
  wrong = options();
  wrong.known_hosts =
      "example.org ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBxP5JLL8/CvsN0fJbVYSnlzzJoKEfIuRjqLCzbWRXnD";
  EXPECT_THAT(asked(wrong), AllOf(StartsWith("invalid_input: "), HasSubstr("'known_hosts'")));
  wrong = options();
  wrong.private_key = "nonsense";
  EXPECT_THAT(asked(wrong), StartsWith("invalid_input: "));
  wrong = options();
  wrong.hosts[0].root = "/proc/nowhere";
  EXPECT_THAT(error_of([&] { SshTarget(wrong).claim(unit(), fence_of(1, "d1"), milliseconds(500), never); }),
              AllOf(StartsWith("unavailable: host '" + unit()), HasSubstr("/proc/nowhere")));
  const std::string gone = unit();
  wrong = options();
  hosts.clear();
  units[0] = gone;
  EXPECT_THAT(asked(wrong), AllOf(StartsWith("unavailable: host '" + gone), HasSubstr("cannot be reached")));
}

TEST_F(SshConnectionTest, GoesThroughAHostInBetween) {
  add_host();
  SshOptions through = options();
  through.jump = hosts[1]->address();
  // The key is known to both.
  std::filesystem::copy_file(hosts[0]->key("key.pub"), hosts[1]->key("authorized"),
                             std::filesystem::copy_options::overwrite_existing);
  through.hosts.pop_back();
  SshTarget target(through);
  target.claim(unit(), fence_of(5, "d1"), milliseconds(1000), never);
  EXPECT_EQ(target.seen_token(unit(), never), 5U);
  EXPECT_THAT(hosts[1]->log(), HasSubstr("Accepted publickey"));
}

TEST_F(SshConnectionTest, IsSharedByTheVerbsOfAUnit) {
  const auto target = claimed(1, "d1");
  for (int i = 0; i < 5; ++i) EXPECT_EQ(target->seen_token(unit(), never), 1U);
  const std::string log = hosts[0]->log();
  std::size_t count = 0;
  for (std::size_t at = 0; (at = log.find("Accepted publickey", at)) != std::string::npos; ++at) ++count;
  EXPECT_EQ(count, 1U);
}

TEST(SshOptionsTest, RefuseWhatSshCouldTakeForSomethingElse) {
  SshOptions good;
  good.hosts = {{"app@a.example:2222", "", {}}, {"[::1]:23", "", {}}, {"b", "", {}}};
  good.root = "/srv/shop";
  good.known_hosts = "x";
  good.private_key = "x";
  good.service = "shop@%slot.service";
  EXPECT_EQ(error_of([&] { check_ssh_options(good); }), "");
  EXPECT_EQ(parse_ssh_address("app@a.example:2222").unit, "a.example:2222");
  EXPECT_EQ(parse_ssh_address("[::1]").name, "::1");
  EXPECT_EQ(parse_ssh_address("b").port, 22);
  const auto refused = [&](const std::function<void(SshOptions&)>& change) {
    SshOptions options = good;
    change(options);
    return error_of([&] { check_ssh_options(options); });
  };
  for (const char* address :
       {"-oProxyCommand=x", "a b", "a;b", "a@-b", "", "a:0", "a:70000", "a:x", "$(x)", "a\nb", "[::1]x"})
    EXPECT_THAT(refused([&](SshOptions& o) { o.hosts[0].address = address; }), StartsWith("invalid_input: "))
        << address;
  for (const char* root : {"", "/", "srv", "/a/../b", "/a\nb"})
    EXPECT_THAT(refused([&](SshOptions& o) { o.root = root; }), StartsWith("invalid_input: ")) << root;
  EXPECT_THAT(refused([](SshOptions& o) {
                o.hosts.push_back({"x@b:22", "", {}});
              }),
              HasSubstr("named twice"));
  EXPECT_THAT(refused([](SshOptions& o) { o.hosts.clear(); }), HasSubstr("no host"));
  EXPECT_THAT(refused([](SshOptions& o) { o.known_hosts.clear(); }), HasSubstr("known_hosts"));
  EXPECT_THAT(refused([](SshOptions& o) { o.private_key.clear(); }), HasSubstr("private key"));
  EXPECT_THAT(refused([](SshOptions& o) { o.start = "x"; }), HasSubstr("not both"));
  EXPECT_THAT(refused([](SshOptions& o) { o.service.clear(), o.start = "x"; }), HasSubstr("all of"));
  EXPECT_THAT(refused([](SshOptions& o) { o.service = "a; rm -rf /"; }), HasSubstr("not safe"));
  EXPECT_THAT(refused([](SshOptions& o) { o.jump = "-x"; }), HasSubstr("not safe"));
}

}  // namespace
}  // namespace runner::deployments
