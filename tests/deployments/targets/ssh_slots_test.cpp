// What slots of hosts by ssh hold, and what runs there.
#include <sys/stat.h>

#include <atomic>
#include <iostream>
#include <thread>

#include "tests/deployments/targets/ssh_fixture.h"

namespace runner::deployments {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using ::testing::AllOf;
using ::testing::HasSubstr;

struct SshSlotsTest : SshTest {
  UnitState state_of(SshTarget& target) const {
    UnitState state = target.observe(unit(), never);
    for (auto it = state.begin(); it != state.end();)
      it = it->second.release.empty() && !it->second.running ? state.erase(it) : std::next(it);
    return state;
  }
};

TEST_F(SshSlotsTest, GoThroughADeployment) {
  const auto target = claimed(1, "d1");
  EXPECT_TRUE(target->has_slots());
  EXPECT_EQ(target->endpoint(unit(), Slot::green), (Endpoint{"127.0.0.1", 8002}));
  const Release one = release("one"), two = release("two");
  EXPECT_EQ(state_of(*target), UnitState{});
  for (const Release* each : {&one, &two}) target->prepare(unit(), *each, never);
  target->place(unit(), Slot::blue, one.id, never);
  EXPECT_EQ(state_of(*target), (UnitState{{Slot::blue, {one.id, false}}}));
  target->start(unit(), Slot::blue, never);
  target->start(unit(), Slot::blue, never);
  EXPECT_EQ(state_of(*target), (UnitState{{Slot::blue, {one.id, true}}}));
  EXPECT_EQ(shell("cat " + root().string() + "/shared/started"),
            "blue " + one.id + " 8001 " + (root() / "releases" / one.id).string());
  EXPECT_EQ(fs::read_symlink(root() / "slots/blue"), "../releases/" + one.id);
  // Another release there does not run because its predecessor does.
  target->place(unit(), Slot::blue, two.id, never);
  EXPECT_EQ(state_of(*target), (UnitState{{Slot::blue, {two.id, false}}}));
  target->start(unit(), Slot::blue, never);
  EXPECT_EQ(state_of(*target), (UnitState{{Slot::blue, {two.id, true}}}));
  target->halt(unit(), Slot::blue, milliseconds(2000), never);
  target->halt(unit(), Slot::blue, milliseconds(2000), never);
  target->halt(unit(), Slot::green, milliseconds(2000), never);
  EXPECT_EQ(state_of(*target), (UnitState{{Slot::blue, {two.id, false}}}));
  target->place(unit(), Slot::single, one.id, never);
  EXPECT_EQ(fs::read_symlink(root() / "current"), "releases/" + one.id);
  EXPECT_EQ(read_file(root() / "current/etc/shop.env"), "NAME=one\n");
}

TEST_F(SshSlotsTest, EndWhatDoesNotEndWhenAsked) {
  SshOptions stubborn = options();
  stubborn.start =
      "sh -c 'trap \"\" TERM; while :; do sleep 1; done' & echo $! > "
      "\"$RUNNER_ROOT/shared/$RUNNER_SLOT.pid\"";
  SshTarget target(stubborn);
  target.claim(unit(), fence_of(1, "d1"), milliseconds(1000), never);
  const Release one = release("one");
  target.prepare(unit(), one, never);
  target.place(unit(), Slot::single, one.id, never);
  target.start(unit(), Slot::single, never);
  EXPECT_TRUE(target.observe(unit(), never).at(Slot::single).running);
  target.halt(unit(), Slot::single, milliseconds(1000), never);
  EXPECT_FALSE(target.observe(unit(), never).at(Slot::single).running);
}

TEST_F(SshSlotsTest, SayWhyNothingStarts) {
  SshOptions broken = options();
  broken.start = "echo port $RUNNER_PORT is taken >&2; exit 9";
  SshTarget target(broken);
  target.claim(unit(), fence_of(1, "d1"), milliseconds(1000), never);
  EXPECT_THAT(error_of([&] { target.start(unit(), Slot::blue, never); }),
              AllOf(HasSubstr("not_found: host '" + unit() + "'"), HasSubstr("holds no release")));
  EXPECT_THAT(error_of([&] { target.place(unit(), Slot::blue, "0123456789ab", never); }),
              AllOf(HasSubstr("not_found: "), HasSubstr("0123456789ab is not there; prepare it")));
  const Release one = release("one");
  target.prepare(unit(), one, never);
  target.place(unit(), Slot::blue, one.id, never);
  EXPECT_THAT(error_of([&] { target.start(unit(), Slot::blue, never); }),
              AllOf(HasSubstr("unavailable: "), HasSubstr("ended with 9"), HasSubstr("port 8001 is taken")));
  EXPECT_FALSE(target.observe(unit(), never).at(Slot::blue).running);
}

TEST_F(SshSlotsTest, KeepWhatTheyHoldAndTheNewestOfTheRest) {
  const auto target = claimed(1, "d1");
  std::vector<std::string> ids;
  for (const char* name : {"a", "b", "c", "d", "e", "f"}) {
    const Release each = release(name);
    target->prepare(unit(), each, never);
    ids.push_back(each.id);
    // Their order is that of their times, which have seconds.
    shell("touch -d @" + std::to_string(1'700'000'000 + ids.size()) + " " +
          (root() / "releases" / each.id).string());
  }
  make_directories(root() / "releases/0123456789ab.part/tree");
  target->place(unit(), Slot::green, ids[0], never);
  target->clean(unit(), 2, {ids[1]}, never);
  std::vector<std::string> left;
  for (const auto& entry : fs::directory_iterator(root() / "releases"))
    left.push_back(entry.path().filename());
  EXPECT_THAT(left, ::testing::UnorderedElementsAre(ids[0], ids[1], ids[4], ids[5]));
  target->clean(unit(), 0, {}, never);
  EXPECT_FALSE(target->is_prepared(unit(), ids[5], never));
  EXPECT_TRUE(target->is_prepared(unit(), ids[0], never));
}

/// Reads a link as fast as it can, and counts when there was none.
class Reader {
 public:
  explicit Reader(fs::path link) : link_(std::move(link)), thread_([this] { read(); }) {}
  ~Reader() {
    stop_ = true;
    thread_.join();
  }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  std::uint64_t reads() const { return reads_; }
  std::uint64_t misses() const { return misses_; }

 private:
  void read() {
    struct stat info {};
    while (!stop_) {
      misses_ += ::stat(link_.c_str(), &info) == 0 ? 0U : 1U;
      ++reads_;
    }
  }
  fs::path link_;
  std::atomic<bool> stop_{false};
  std::atomic<std::uint64_t> reads_{0}, misses_{0};
  std::thread thread_;
};

TEST_F(SshSlotsTest, AreNeverEmptyWhileTheySwitch) {
  const auto target = claimed(1, "d1");
  const Release one = release("one"), two = release("two");
  for (const Release* each : {&one, &two}) target->prepare(unit(), *each, never);
  target->place(unit(), Slot::blue, one.id, never);
  std::uint64_t switches = 0;
  {
    const Reader reader(root() / "slots/blue/version");
    while (reader.reads() < 1'000'000 || switches < 10)
      target->place(unit(), Slot::blue, ++switches % 2 == 1 ? two.id : one.id, never);
    EXPECT_EQ(reader.misses(), 0U);
    std::cout << switches << " switches, " << reader.reads() << " reads, " << reader.misses() << " misses\n";
  }
  // The negative control: taken away and made anew, the same reader misses it.
  const Reader reader(root() / "slots/blue/version");
  for (int i = 0; i < 100'000 && reader.misses() == 0; ++i) {
    fs::remove(root() / "slots/blue");
    fs::create_symlink("../releases/" + one.id, root() / "slots/blue");
  }
  EXPECT_GT(reader.misses(), 0U);
}

}  // namespace
}  // namespace runner::deployments
