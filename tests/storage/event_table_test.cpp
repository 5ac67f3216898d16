#include "runner/storage/event_table.h"

#include <thread>

#include "tests/storage/store_kinds.h"

namespace runner::storage {
namespace {

class EventTable : public EachStore {
 protected:
  std::int64_t append(const LogRecord& event) {
    std::int64_t seq = 0;
    write([&](Tx& tx) { seq = EventLog(tx).append(event); });
    return seq;
  }
  std::vector<std::int64_t> after(std::int64_t seq, std::size_t limit = 1000, const LogFilter& filter = {}) {
    std::vector<std::int64_t> found;
    read([&](Tx& tx) {
      for (const auto& event : EventLog(tx).after(seq, limit, filter)) found.push_back(event.seq);
    });
    return found;
  }
};

INSTANTIATE_TEST_SUITE_P(Kinds, EventTable, testing::ValuesIn(store_kinds()), kind_name);

TEST_P(EventTable, ComesBackAsItWasWritten) {
  EXPECT_EQ(append({7, 1, 2, 3, "job.started", R"({"it's":"ok"})", at(5)}), 1);
  EXPECT_EQ(append({0, std::nullopt, std::nullopt, std::nullopt, "server.started", "{}", at(4)}), 2);
  read([&](Tx& tx) {
    const auto events = EventLog(tx).after(0, 10);
    ASSERT_EQ(events.size(), 2U);
    EXPECT_EQ(events[0].project, 1);
    EXPECT_EQ(events[0].pipeline, 2);
    EXPECT_EQ(events[0].job, 3);
    EXPECT_EQ(events[0].kind, "job.started");
    EXPECT_EQ(events[0].payload, R"({"it's":"ok"})");
    EXPECT_EQ(events[0].at, at(5));
    EXPECT_FALSE(events[1].project || events[1].pipeline || events[1].job);
    EXPECT_EQ(EventLog(tx).last(), 2);
  });
}

TEST_P(EventTable, ReadingGoesOnAfterANumberAndMayBeNarrowed) {
  append({0, 1, 10, {}, "a", "", {}});
  append({0, 1, 11, {}, "b", "", {}});
  append({0, 2, 12, {}, "c", "", {}});
  append({0, 1, 10, 5, "d", "", {}});
  using Seqs = std::vector<std::int64_t>;
  EXPECT_EQ(after(0), (Seqs{1, 2, 3, 4}));
  EXPECT_EQ(after(2), (Seqs{3, 4}));
  EXPECT_EQ(after(0, 2), (Seqs{1, 2}));
  EXPECT_EQ(after(4), Seqs{});
  EXPECT_EQ(after(0, 9, {1, {}}), (Seqs{1, 2, 4}));
  EXPECT_EQ(after(1, 9, {{}, 10}), (Seqs{4}));
  EXPECT_EQ(after(0, 9, {2, 10}), Seqs{});
}

TEST_P(EventTable, WhatWasRolledBackLeavesNoGap) {
  append({});
  EXPECT_THROW(write([&](Tx& tx) {
                 EventLog(tx).append({});
                 throw Error(ErrorCode::internal, "stop");
               }),
               Error);
  EXPECT_EQ(append({}), 2);
}

TEST_P(EventTable, ReaderMissesNothingWhileManyWrite) {
  constexpr std::int64_t kEach = 25;
  std::vector<std::thread> writers;
  for (int i = 0; i < 4; ++i) {
    Store& store = i % 2 == 0 ? *store_ : other();
    writers.emplace_back([&] {
      for (std::int64_t n = 0; n < kEach; ++n) store.write([&](Tx& tx) { EventLog(tx).append({}); });
    });
  }
  std::int64_t seen = 0;
  while (seen < 4 * kEach) {
    for (const std::int64_t seq : after(seen, 7)) {
      ASSERT_EQ(seq, seen + 1) << "numbers become visible in their order";
      seen = seq;
    }
  }
  for (auto& writer : writers) writer.join();
}

TEST_P(EventTable, PruningTellsUpToWhere) {
  for (const std::int64_t time : {10, 20, 5, 30}) append({0, {}, {}, {}, "", "", at(time)});
  const auto pruned = [&] {
    std::int64_t seq = 0;
    read([&](Tx& tx) { seq = EventLog(tx).pruned(); });
    return seq;
  };
  EXPECT_EQ(pruned(), 0);
  write([&](Tx& tx) {
    EXPECT_EQ(EventLog(tx).prune_before(at(10)), 0U) << "the third waits for the first two";
  });
  write([&](Tx& tx) { EXPECT_EQ(EventLog(tx).prune_before(at(15)), 1U); });
  EXPECT_EQ(pruned(), 1);
  write([&](Tx& tx) { EXPECT_EQ(EventLog(tx).prune(2), 1U); });
  EXPECT_EQ(after(0), (std::vector<std::int64_t>{3, 4}));
  write([&](Tx& tx) { EXPECT_EQ(EventLog(tx).prune_before(at(1000)), 2U); });
  EXPECT_EQ(pruned(), 4);
  EXPECT_EQ(append({}), 5) << "numbers go on";
  EXPECT_EQ(pruned(), 4);
}

TEST_P(EventTable, PruningGoesInBoundedSteps) {
  write([&](Tx& tx) {
    EventLog log(tx);
    for (std::size_t i = 0; i < kMaxPage + 5; ++i) log.append({});
    EXPECT_EQ(log.after(0, kMaxPage * 9).size(), kMaxPage) << "so do lists";
    EXPECT_EQ(log.prune_before(at(1)), kMaxPage);
    EXPECT_EQ(log.prune_before(at(1)), 5U);
    EXPECT_EQ(log.prune_before(at(1)), 0U);
  });
}

}  // namespace
}  // namespace runner::storage
