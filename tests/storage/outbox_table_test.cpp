#include "runner/storage/outbox_table.h"

#include "tests/storage/store_kinds.h"

namespace runner::storage {
namespace {

class OutboxTable : public EachStore {
 protected:
  std::string due(const std::string& kind, std::int64_t now, std::size_t limit = 10) {
    std::string keys;
    read([&](Tx& tx) {
      for (const auto& effect : Outbox(tx).due(kind, at(now), limit)) keys += effect.key;
    });
    return keys;
  }
};

INSTANTIATE_TEST_SUITE_P(Kinds, OutboxTable, testing::ValuesIn(store_kinds()), kind_name);

TEST_P(OutboxTable, ActNeedsNoJobAndComesBackAsItWasWritten) {
  write([&](Tx& tx) {
    Outbox outbox(tx);
    outbox.append({"it's:1", "commit_status", std::nullopt, R"({"a":1})", at(5), 2, at(9), "HTTP 503"});
    outbox.append({"it's:1", "other", std::nullopt, "", at(6)});
    const OutboxRecord found = outbox.find("it's:1").value();
    EXPECT_EQ(found.kind, "commit_status") << "the first stays as it is";
    EXPECT_EQ(found.job, std::nullopt);
    EXPECT_EQ(found.payload, R"({"a":1})");
    EXPECT_EQ(found.created_at, at(5));
    EXPECT_EQ(found.attempts, 2);
    EXPECT_EQ(found.next_attempt_at, at(9));
    EXPECT_EQ(found.last_error, "HTTP 503");
    EXPECT_FALSE(outbox.find("its:1"));
  });
}

TEST_P(OutboxTable, NewsTakeThePlaceOfWhatWaitsAndWaitNoLonger) {
  write([&](Tx& tx) {
    Outbox outbox(tx);
    outbox.put({"a", "status", {}, "old", at(1), 0, at(50)});
    outbox.put({"a", "status", {}, "new", at(2), 0, at(40)});
    EXPECT_EQ(outbox.find("a")->payload, "new");
    EXPECT_EQ(outbox.find("a")->created_at, at(2));
    EXPECT_EQ(outbox.find("a")->next_attempt_at, at(40));
    outbox.put({"a", "status", {}, "newer", at(3), 0, at(90)});
    EXPECT_EQ(outbox.find("a")->next_attempt_at, at(40)) << "not for ever later";
    outbox.postpone("a", at(70), "HTTP 503");
    outbox.put({"a", "status", {}, "newest", at(4), 0, at(5)});
    const OutboxRecord found = outbox.find("a").value();
    EXPECT_EQ(found.payload, "newest");
    EXPECT_EQ(found.next_attempt_at, at(70)) << "who is asked rests";
    EXPECT_EQ(found.attempts, 1);
    EXPECT_EQ(found.last_error, "HTTP 503");
  });
}

TEST_P(OutboxTable, HoldsAndBoundsThoseOfAKind) {
  write([&](Tx& tx) {
    Outbox outbox(tx);
    outbox.append({"s/1/a", "status", {}, "", at(10)});
    outbox.append({"s/1/b", "status", {}, "", at(99)});
    outbox.append({"s/12/a", "status", {}, "", at(20)});
    outbox.append({"s/1/x", "other", {}, "", at(1)});
    EXPECT_EQ(outbox.count("status"), 3);
    EXPECT_EQ(outbox.count("status", "s/1/"), 2);
    outbox.hold("status", "s/1/", at(50));
    EXPECT_EQ(outbox.find("s/1/a")->next_attempt_at, at(50));
    EXPECT_EQ(outbox.find("s/1/b")->next_attempt_at, at(99)) << "never earlier";
    EXPECT_EQ(outbox.find("s/12/a")->next_attempt_at, at(20));
    EXPECT_EQ(outbox.find("s/1/x")->next_attempt_at, at(1));
    EXPECT_EQ(outbox.find("s/1/a")->attempts, 0);
    outbox.bound("status", at(60));
    EXPECT_EQ(outbox.find("s/1/b")->next_attempt_at, at(60));
    EXPECT_EQ(outbox.find("s/1/a")->next_attempt_at, at(50));
  });
}

TEST_P(OutboxTable, UnknownJobIsRefused) {
  EXPECT_THROW(write([](Tx& tx) { Outbox(tx).append({"a", "stop", 99, "", {}}); }), Error);
}

TEST_P(OutboxTable, DueOnesOfAKindComeByTimeUntilTheyArePostponedOrDone) {
  write([&](Tx& tx) {
    Outbox outbox(tx);
    outbox.append({"c", "mail", {}, "", at(30)});
    outbox.append({"a", "mail", {}, "", at(10)});
    outbox.append({"b", "mail", {}, "", at(20)});
    outbox.append({"x", "other", {}, "", at(1)});
  });
  EXPECT_EQ(due("mail", 9), "");
  EXPECT_EQ(due("mail", 10), "a");
  EXPECT_EQ(due("mail", 99), "abc");
  EXPECT_EQ(due("mail", 99, 2), "ab");
  write([&](Tx& tx) {
    Outbox outbox(tx);
    EXPECT_EQ(outbox.next_due("mail"), at(10));
    EXPECT_TRUE(outbox.postpone("a", at(100), "first"));
    EXPECT_TRUE(outbox.postpone("a", at(200), std::string(10'000, '\xff')));
    EXPECT_EQ(outbox.find("a")->attempts, 2);
    EXPECT_LE(outbox.find("a")->last_error.size(), 4096U);
    outbox.remove("b");
    EXPECT_FALSE(outbox.postpone("b", at(1), "it is gone"));
    EXPECT_EQ(outbox.next_due("mail"), at(30));
    EXPECT_EQ(outbox.next_due("none"), std::nullopt);
  });
  EXPECT_EQ(due("mail", 199), "c");
  EXPECT_EQ(due("mail", 200), "ca");
}

}  // namespace
}  // namespace runner::storage
