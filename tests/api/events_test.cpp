// What happens, as it happens.
#include <nlohmann/json.hpp>

#include "runner/storage/event_table.h"
#include "tests/api/api_harness.h"

namespace runner::api {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;

class ApiEventTest : public ApiTest {
 protected:
  EventReader listen(const std::string& query = {}, const std::string& last = {}) {
    return {connect(), "/api/v1/events" + query,
            shown("vera") + (last.empty() ? "" : "Last-Event-ID: " + last + "\r\n")};
  }
  void happen(const std::string& kind, std::optional<std::int64_t> project = {},
              std::optional<std::int64_t> pipeline = {}) {
    append_event(kind, "{\"kind\":\"" + kind + "\"}", project, pipeline);
    api_->changed();
  }
};

std::string told(const std::optional<SentEvent>& event) {
  return event ? event->id + " " + event->type + " " + event->data : "nothing";
}

TEST_F(ApiEventTest, ListenerHearsWhatHappensFromNowOn) {
  happen("a.old");
  EventReader reader = listen();
  happen("a.new");
  EXPECT_EQ(told(reader.next()), R"(2 a.new {"kind":"a.new"})");
  append_event("a.quiet", "{}");
  clock_.pass(std::chrono::seconds(2));  // nobody said a word
  EXPECT_EQ(told(reader.next()), "3 a.quiet {}");
}

TEST_F(ApiEventTest, ChangesByTheApiAreHeard) {
  EventReader reader = listen();
  EXPECT_EQ(ask("PATCH", "/api/v1/projects/shop", R"({"paused":true})").status, 200);
  EXPECT_EQ(told(reader.next()), R"(1 project.changed {"project":"shop","by":"anna"})");
}

TEST_F(ApiEventTest, ListenerThatComesBackMissesNothing) {
  for (int at = 1; at <= 100; ++at) happen("e" + std::to_string(at));
  EventReader reader = listen({}, "3");
  for (int at = 4; at <= 100; ++at) {
    const auto event = reader.next();
    ASSERT_TRUE(event);
    EXPECT_EQ(event->id, std::to_string(at));
    EXPECT_EQ(event->type, "e" + std::to_string(at));
  }
}

TEST_F(ApiEventTest, WhatWasPrunedIsToldToBeMissed) {
  for (int at = 1; at <= 5; ++at) happen("e" + std::to_string(at));
  store_->write([](storage::Tx& tx) { storage::EventLog(tx).prune(3); });
  EventReader late = listen({}, "1");
  EXPECT_EQ(told(late.next()), R"(3 missed {"after":1,"until":3})");
  EXPECT_EQ(late.next()->id, "4");
  EventReader in_time = listen({}, "3");
  EXPECT_EQ(in_time.next()->id, "4");
}

TEST_F(ApiEventTest, NumberFromAnotherDatabaseIsToldToBeMissed) {
  happen("e1");
  EventReader reader = listen({}, "70");
  EXPECT_EQ(told(reader.next()), R"(1 missed {"after":70,"until":1})");
  happen("e2");
  EXPECT_EQ(reader.next()->id, "2");
}

TEST_F(ApiEventTest, FilterLetsThroughWhatIsAskedForAndPruningOfTheRestIsNoMiss) {
  const auto blog = add_project("blog");
  const auto pipeline = add_pipeline();
  EventReader of_shop = listen("?project=shop");
  EventReader of_pipeline = listen("?pipeline=" + std::to_string(pipeline));
  EventReader all = listen();
  happen("shop.first", shop_);
  EXPECT_EQ(of_shop.next()->type, "shop.first");
  for (int at = 0; at < 5; ++at) happen("blog.any", blog);
  happen("build", shop_, pipeline);
  EXPECT_EQ(of_shop.next()->type, "build");
  EXPECT_EQ(of_pipeline.next()->type, "build");
  for (int at = 0; at < 5; ++at) happen("blog.any", blog);
  std::optional<SentEvent> last;
  do last = all.next();
  while (last && last->id != "12");
  // The thread serves one after another, this one last: with the next event it has shown the others all
  // before.
  happen("blog.any", blog);
  EXPECT_EQ(all.next()->id, "13");
  store_->write([](storage::Tx& tx) { storage::EventLog(tx).prune(12); });
  happen("shop.last", shop_);
  EXPECT_EQ(of_shop.next()->type, "shop.last");
}

TEST_F(ApiEventTest, QuestionsForWhatIsNotThereAreRefused) {
  EXPECT_EQ(ask("GET", "/api/v1/events?project=none").status, 404);
  EXPECT_EQ(ask("GET", "/api/v1/events?pipeline=9").status, 404);
  EXPECT_THAT(ask("GET", "/api/v1/events?pipeline=x").fields(), ElementsAre("pipeline"));
  EXPECT_THAT(ask_with("GET", "/api/v1/events", shown("vera") + "Last-Event-ID: x\r\n").fields(),
              ElementsAre("Last-Event-ID"));
}

TEST_F(ApiEventTest, EventTooLargeToSendIsToldToBeMissed) {
  EventReader reader = listen();
  append_event("large", "\"" + std::string(100'000, 'x') + "\"");
  happen("small");
  EXPECT_EQ(told(reader.next()), R"(1 missed {"after":0,"until":1})");
  EXPECT_EQ(reader.next()->type, "small");
}

// More than a listener may hold: it is read on as the client takes it.
TEST_F(ApiEventTest, ManyLargeEventsComeAllAndInOrder) {
  for (int at = 0; at < 300; ++at) append_event("large", "\"" + std::string(5000, 'x') + "\"");
  EventReader reader = listen({}, "0");
  for (int at = 1; at <= 300; ++at) {
    const auto event = reader.next();
    ASSERT_TRUE(event);
    EXPECT_EQ(event->id, std::to_string(at));
  }
}

}  // namespace
}  // namespace runner::api
