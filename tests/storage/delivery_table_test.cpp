#include "runner/storage/delivery_table.h"

#include <atomic>
#include <thread>

#include "tests/storage/store_kinds.h"

namespace runner::storage {
namespace {

DeliveryRecord delivery_of(std::int64_t project, const std::string& key, std::int64_t received = 0) {
  DeliveryRecord delivery;
  delivery.project = project;
  delivery.forge = "gitea";
  delivery.event = "push";
  delivery.key = key;
  delivery.hint = R"({"ref":"refs/heads/main"})";
  delivery.received_at = at(received);
  return delivery;
}

class DeliveryTable : public EachStore {
 protected:
  std::optional<std::int64_t> add(const DeliveryRecord& record) {
    std::optional<std::int64_t> id;
    write([&](Tx& tx) { id = Deliveries(tx).insert_once(record); });
    return id;
  }
  std::string pending(std::size_t limit, std::int64_t after = 0) {
    std::string keys;
    read([&](Tx& tx) {
      for (const auto& delivery : Deliveries(tx).pending(limit, after)) keys += delivery.key;
    });
    return keys;
  }
};

INSTANTIATE_TEST_SUITE_P(Kinds, DeliveryTable, testing::ValuesIn(store_kinds()), kind_name);

TEST_P(DeliveryTable, ComesBackAsItWasWritten) {
  const std::int64_t project = new_project();
  const std::int64_t id = add(delivery_of(project, "it's \"1\"", 7)).value();
  read([&](Tx& tx) {
    for (const auto& found : {Deliveries(tx).find(id), Deliveries(tx).find_by_key(project, "it's \"1\"")}) {
      ASSERT_TRUE(found);
      EXPECT_EQ(found->id, id);
      EXPECT_EQ(found->project, project);
      EXPECT_EQ(found->forge, "gitea");
      EXPECT_EQ(found->event, "push");
      EXPECT_EQ(found->state, DeliveryState::pending);
      EXPECT_EQ(found->hint, R"({"ref":"refs/heads/main"})");
      EXPECT_EQ(found->detail, "");
      EXPECT_EQ(found->received_at, at(7));
      EXPECT_FALSE(found->done_at);
    }
  });
}

TEST_P(DeliveryTable, ReplayIsNotWrittenAgain) {
  const std::int64_t shop = new_project("shop"), depot = new_project("depot");
  const auto first = add(delivery_of(shop, "1"));
  ASSERT_TRUE(first);
  EXPECT_FALSE(add(delivery_of(shop, "1")));
  write(
      [&](Tx& tx) { EXPECT_TRUE(Deliveries(tx).finish(*first, DeliveryState::done, "pipeline 3", at(9))); });
  EXPECT_FALSE(add(delivery_of(shop, "1"))) << "nor when it is done";
  EXPECT_TRUE(add(delivery_of(depot, "1"))) << "keys are of a project";
  EXPECT_EQ(add(delivery_of(shop, "2")), *first + 2) << "replays take no ids";
}

TEST_P(DeliveryTable, SameDeliveryOfManyWritersIsThereOnce) {
  const std::int64_t project = new_project();
  std::atomic<int> written = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    Store& store = i % 2 == 0 ? *store_ : other();
    threads.emplace_back([&] {
      std::optional<std::int64_t> id;
      store.write([&](Tx& tx) { id = Deliveries(tx).insert_once(delivery_of(project, "1")); });
      if (id) ++written;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(written, 1);
  EXPECT_EQ(count("deliveries"), 1);
}

TEST_P(DeliveryTable, PendingOnesComeInOrderUntilTheyAreFinished) {
  const std::int64_t project = new_project();
  std::vector<std::int64_t> ids;
  for (const char* key : {"a", "b", "c", "d"}) ids.push_back(add(delivery_of(project, key)).value());
  EXPECT_EQ(pending(10), "abcd");
  EXPECT_EQ(pending(2), "ab");
  EXPECT_EQ(pending(2, ids[1]), "cd");
  write([&](Tx& tx) {
    Deliveries deliveries(tx);
    EXPECT_TRUE(deliveries.finish(ids[0], DeliveryState::done, "pipeline 1", at(5)));
    EXPECT_TRUE(deliveries.finish(ids[2], DeliveryState::ignored, std::string("git said \0\xff", 11), at(6)));
    EXPECT_FALSE(deliveries.finish(ids[2], DeliveryState::done, "again", at(7))) << "it is finished";
    EXPECT_FALSE(deliveries.finish(99, DeliveryState::done, "", at(7)));
    EXPECT_THROW(deliveries.finish(ids[1], DeliveryState::pending, "", at(7)), Error);
    const DeliveryRecord ignored = deliveries.find(ids[2]).value();
    EXPECT_EQ(ignored.state, DeliveryState::ignored);
    EXPECT_EQ(ignored.detail, "git said \xef\xbf\xbd\xef\xbf\xbd");
    EXPECT_EQ(ignored.done_at, at(6));
  });
  EXPECT_EQ(pending(10), "bd");
}

TEST_P(DeliveryTable, ThoseOfAProjectComeNewestFirst) {
  const std::int64_t shop = new_project("shop"), depot = new_project("depot");
  for (const char* key : {"a", "b", "c"}) add(delivery_of(shop, key));
  add(delivery_of(depot, "d"));
  read([&](Tx& tx) {
    const auto page = Deliveries(tx).of_project(shop, 2);
    ASSERT_EQ(page.size(), 2U);
    EXPECT_EQ(page[0].key + page[1].key, "cb");
    const auto rest = Deliveries(tx).of_project(shop, 2, page[1].id);
    ASSERT_EQ(rest.size(), 1U);
    EXPECT_EQ(rest[0].key, "a");
  });
}

TEST_P(DeliveryTable, OldOnesGoButForThosePending) {
  const std::int64_t project = new_project();
  for (const std::int64_t time : {1, 2, 3}) {
    const std::int64_t id = add(delivery_of(project, std::to_string(time), time)).value();
    write([&](Tx& tx) { Deliveries(tx).finish(id, DeliveryState::done, "", at(9)); });
  }
  add(delivery_of(project, "0", 0));
  write([&](Tx& tx) {
    EXPECT_EQ(Deliveries(tx).prune(at(3)), 2U);
    EXPECT_EQ(Deliveries(tx).prune(at(3)), 0U);
    EXPECT_TRUE(Deliveries(tx).find_by_key(project, "3"));
    EXPECT_TRUE(Deliveries(tx).find_by_key(project, "0"));
    EXPECT_TRUE(Deliveries(tx).insert_once(delivery_of(project, "1"))) << "forgotten, so new";
  });
}

TEST_P(DeliveryTable, WhatCannotBeIsRefused) {
  const std::int64_t project = new_project();
  EXPECT_TRUE(fails_with(ErrorCode::not_found, "there is no project 99", [&] { add(delivery_of(99, "1")); }));
  EXPECT_TRUE(fails_with(ErrorCode::invalid_input, "the key of a delivery has a zero byte",
                         [&] { add(delivery_of(project, std::string("a\0", 2))); }));
  EXPECT_TRUE(fails_with(ErrorCode::invalid_input, "the key of a delivery has",
                         [&] { add(delivery_of(project, std::string(2000, 'x'))); }));
  DeliveryRecord large = delivery_of(project, "1");
  large.hint = std::string((1U << 20U) + 1, 'x');
  EXPECT_TRUE(fails_with(ErrorCode::invalid_input, "the hint of a delivery has", [&] { add(large); }));
  EXPECT_EQ(count("deliveries"), 0);
}

}  // namespace
}  // namespace runner::storage
