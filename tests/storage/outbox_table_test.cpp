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
