// Who may change a host, and what becomes of those who may not any more.
#include <signal.h>

#include <future>
#include <thread>

#include "runner/base/text.h"
#include "tests/deployments/targets/ssh_fixture.h"

namespace runner::deployments {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

struct SshFenceTest : SshTest {
  /// The tokens that the host took, in the order of its log.
  std::vector<std::int64_t> tokens() const {
    std::vector<std::int64_t> all;
    const std::string log = read_file(root() / ".runner/tokens").value_or("");
    for (const std::string_view line : split(log, '\n'))
      if (!line.empty()) all.push_back(parse_integer(split(line, ' ')[0]).value_or(-1));
    return all;
  }
  /// Until the file is there.
  void wait_for(const fs::path& file) const {
    while (!fs::exists(file)) std::this_thread::yield();
  }
  /// The command lines of processes that begin so, by process.
  static std::map<pid_t, std::string> processes(const std::string& beginning) {
    std::map<pid_t, std::string> found;
    for (const auto& process : fs::directory_iterator("/proc")) {
      const auto pid = parse_integer(process.path().filename().native());
      if (!pid) continue;
      try {
        const std::string line =
            replace_all(read_file(process.path() / "cmdline").value_or(""), std::string(1, '\0'), " ");
        if (line.rfind(beginning, 0) == 0) found[static_cast<pid_t>(*pid)] = line;
      } catch (const Error&) {  // it ended just now
      }
    }
    return found;
  }
  /// Kills the ssh clients of this test that run now: those that share a connection, or that connection.
  int kill_clients(bool connection) const {
    constexpr std::string_view kPath = "ControlPath=\"";
    int killed = 0;
    for (const auto& [pid, line] : processes("ssh -F none")) {
      if (line.find(" " + hosts[0]->port() + " ") == std::string::npos) continue;
      const std::size_t at = line.find(kPath) + kPath.size();
      const std::string path = line.substr(at, line.find('"', at) - at);
      if (!connection) killed += ::kill(pid, SIGKILL) == 0 ? 1 : 0;
      if (connection)
        for (const auto& [master, title] : processes("ssh: " + path))
          killed += ::kill(master, SIGKILL) == 0 ? 1 : 0;
    }
    return killed;
  }
};

/// All verbs that change something, by name.
std::map<std::string, std::function<void(SshTarget&)>> changes(const SshTest& test) {
  const std::string unit = test.unit();
  const Release one = test.release("one");
  return {{"claim", [=](SshTarget& t) { t.claim(unit, fence_of(1, "d1"), milliseconds(1000), {}); }},
          {"prepare", [=](SshTarget& t) { t.prepare(unit, one, {}); }},
          {"is_prepared", [=](SshTarget& t) { t.is_prepared(unit, one.id, {}); }},
          {"observe", [=](SshTarget& t) { t.observe(unit, {}); }},
          {"place", [=](SshTarget& t) { t.place(unit, Slot::blue, one.id, {}); }},
          {"start", [=](SshTarget& t) { t.start(unit, Slot::blue, {}); }},
          {"halt", [=](SshTarget& t) { t.halt(unit, Slot::blue, milliseconds(1000), {}); }},
          {"clean", [=](SshTarget& t) { t.clean(unit, 1, {}, {}); }},
          {"run",
           [=](SshTarget& t) {
             t.run(unit, Slot::blue, {"smoke", "echo x", {}}, {}, {});
           }},
          {"survive", [=](SshTarget& t) {
             t.run(unit, Slot::blue, {"migrate", "echo x", {}, milliseconds(9000), true}, {}, {});
           }}};
}

TEST_F(SshFenceTest, LetsOnlyTheHighestTokenChangeAnything) {
  const auto old = claimed(1, "d1");
  EXPECT_EQ(old->seen_token(unit(), never), 1U);
  const auto verbs = changes(*this);
  for (const char* name :
       {"claim", "prepare", "is_prepared", "place", "start", "observe", "run", "survive", "clean"})
    EXPECT_EQ(error_of([&] { verbs.at(name)(*old); }), "") << name;
  const auto fresh = claimed(7, "d2");
  EXPECT_EQ(fresh->seen_token(unit(), never), 7U);
  const std::string before = shell("cd " + root().string() + " && ls -lR releases slots shared");
  for (const auto& [name, verb] : verbs)
    EXPECT_THAT(error_of([&, &act = verb] { act(*old); }),
                AllOf(StartsWith("stale: "), HasSubstr("token 7 of deployment d2"), HasSubstr(unit())))
        << name;
  EXPECT_EQ(shell("cd " + root().string() + " && ls -lR releases slots shared"), before);
  EXPECT_EQ(error_of([&] { fresh->place(unit(), Slot::green, release("one").id, never); }), "");
  EXPECT_THAT(tokens(), ElementsAre(1, 7));
}

TEST_F(SshFenceTest, TakesAnEqualTokenOfTheSameDeploymentOnly) {
  const auto one = claimed(3, "d/ä 1");
  const auto again = claimed(3, "d/ä 1");  // it was started anew
  EXPECT_EQ(error_of([&] { again->observe(unit(), never); }), "");
  const auto other = target();
  EXPECT_THAT(error_of([&] { other->claim(unit(), fence_of(3, "d2"), milliseconds(500), never); }),
              AllOf(StartsWith("stale: "), HasSubstr("of deployment d/ä 1")));
  EXPECT_THAT(error_of([&] { other->prepare(unit(), release("one"), never); }),
              AllOf(StartsWith("conflict: "), HasSubstr("was not claimed")));
  EXPECT_THAT(
      error_of([&] { other->claim(unit(), fence_of(9, "d9", "shop/staging"), milliseconds(500), never); }),
      AllOf(StartsWith("conflict: "), HasSubstr("belongs to the environment")));
  EXPECT_EQ(other->seen_token(unit(), never), 3U);
}

TEST_F(SshFenceTest, KnowsNoTokenOfAHostThatIsNew) {
  EXPECT_EQ(target()->seen_token(unit(), never), 0U);
  EXPECT_FALSE(fs::exists(root() / ".runner"));  // asking takes nothing
  make_directories(root() / ".runner");
  write_file_atomic(root() / ".runner/token", "garbage\n", 0600, false);
  EXPECT_THAT(error_of([&] { target()->seen_token(unit(), never); }),
              AllOf(StartsWith("corrupt: "), HasSubstr("holds no token")));
  EXPECT_THAT(error_of([&] { claimed(1, "d1"); }), StartsWith("corrupt: "));
}

TEST_F(SshFenceTest, WaitsForACommandAndNamesWhoseItIs) {
  const auto first = claimed(1, "d1");
  first->prepare(unit(), release("one"), never);
  first->place(unit(), Slot::single, release("one").id, never);
  const fs::path go = root() / "go", begun = root() / "begun";
  auto running = std::async(std::launch::async, [&] {
    return first->run(
        unit(), Slot::single,
        {"smoke",
         "touch " + begun.string() + "; while ! test -e " + go.string() + "; do sleep 0.05; done",
         {}},
        {}, never);
  });
  wait_for(begun);
  const auto second = target();
  EXPECT_THAT(error_of([&] { second->claim(unit(), fence_of(2, "d2"), milliseconds(300), never); }),
              AllOf(StartsWith("timeout: "), HasSubstr("deployment d1 still runs 'run'"), HasSubstr(unit())));
  auto claims = std::async(std::launch::async,
                           [&] { second->claim(unit(), fence_of(2, "d2"), milliseconds(20'000), never); });
  write_file_atomic(go, "", 0644, false);
  EXPECT_NO_THROW(claims.get());
  EXPECT_EQ(running.get().exit_code, 0);
  EXPECT_THAT(tokens(), ElementsAre(1, 2));
}

// A client that is killed leaves its command without anybody who waits for it; sshd would let it go on.
TEST_F(SshFenceTest, EndsTheCommandOfAClientThatWasKilledBeforeTheNextOneBegins) {
  for (const bool connection : {false, true}) {
    const auto token = tokens().size() * 2 + 1;
    const auto first = claimed(token, "d" + std::to_string(token));
    first->prepare(unit(), release("one"), never);
    first->place(unit(), Slot::single, release("one").id, never);
    const fs::path writes = root() / ("writes" + std::to_string(token));
    // It does not end when asked to, and has a child that does not either.
    const std::string script =
        "trap '' TERM; (while :; do echo x >> " + writes.string() + "; sleep 0.02; done) & wait";
    auto running = std::async(std::launch::async, [&] {
      return error_of([&] { first->run(unit(), Slot::single, {"migrate", script, {}}, {}, never); });
    });
    wait_for(writes);
    ASSERT_EQ(kill_clients(connection), 1);
    const auto second = claimed(token + 1, "next");
    const auto size = fs::file_size(writes);
    EXPECT_THAT(running.get(), HasSubstr("the connection ended in the middle of 'run'"));
    // The old one is refused, and nothing writes any more.
    EXPECT_THAT(error_of([&] { first->start(unit(), Slot::single, never); }), StartsWith("stale: "));
    EXPECT_EQ(shell("grep -l '" + root().string() + "/.runner/[s]cript' /proc/[0-9]*/cmdline 2>/dev/null"),
              "");
    EXPECT_EQ(fs::file_size(writes), size);
  }
  EXPECT_THAT(tokens(), ElementsAre(1, 2, 5, 6));  // they only grow
}

}  // namespace
}  // namespace runner::deployments
