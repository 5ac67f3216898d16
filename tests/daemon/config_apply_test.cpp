// What a configuration file makes of a store, again and again.
#include "runner/daemon/config_apply.h"

#include <gmock/gmock.h>

#include "runner/storage/configured_table.h"
#include "runner/storage/credential_table.h"
#include "runner/storage/event_table.h"
#include "runner/storage/resource_group_table.h"
#include "runner/storage/schedule_table.h"

namespace runner::daemon {
namespace {

using storage::ConfiguredKind;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

class ConfigApply : public testing::Test {
 public:
  ConfigApply() {
    config.path = "/etc/runner/config.yaml";
    ConfigProject shop;
    shop.record.name = "shop";
    shop.record.url = "https://h/shop";
    shop.token = "t0ken";
    ConfigSchedule nightly;
    nightly.name = "nightly";
    nightly.cron = "0 3 * * *";
    nightly.variables = {{"A", "b"}};
    shop.schedules.push_back(nightly);
    config.projects.push_back(shop);
  }

  std::vector<std::string> apply() { return apply_config(*store, sealer, config, now); }
  storage::ProjectRecord project(const std::string& name = "shop") {
    storage::ProjectRecord found;
    store->read([&](storage::Tx& tx) { found = storage::Projects(tx).find(name).value(); });
    return found;
  }
  std::vector<storage::ScheduleRecord> schedules() {
    std::vector<storage::ScheduleRecord> found;
    const std::int64_t id = project().id;
    store->read([&](storage::Tx& tx) { found = storage::Schedules(tx, sealer).of_project(id); });
    return found;
  }
  /// "KIND USER SECRET" of each credential.
  std::vector<std::string> secrets() {
    std::vector<std::string> found;
    const std::int64_t id = project().id;
    store->read([&](storage::Tx& tx) {
      storage::Credentials credentials(tx, sealer);
      for (const auto& each : credentials.of_project(id))
        found.push_back(std::string(to_string(each.kind)) + " " + each.username + " " +
                        std::string(credentials.open(each.id)->text()));
    });
    return found;
  }
  std::optional<storage::ConfiguredRecord> configured(ConfiguredKind kind, std::int64_t id) {
    std::optional<storage::ConfiguredRecord> found;
    store->read([&](storage::Tx& tx) { found = storage::Configured(tx).find(kind, id); });
    return found;
  }

  SystemClock clock;
  std::unique_ptr<storage::Store> store = storage::make_memory_store(clock);
  storage::Sealer sealer{storage::Secret::copy_of(std::string(storage::kDataKeySize, 'k'))};
  TimePoint now{std::chrono::sys_days{std::chrono::March / 10 / 2026}};
  ConfigFile config;
};

TEST_F(ConfigApply, AddsWhatIsNotThereAndThenChangesNothing) {
  EXPECT_THAT(apply(), ElementsAre("project 'shop' is added", "project 'shop' has other credentials",
                                   "project 'shop' has a schedule 'nightly'"));
  EXPECT_EQ(project().url, "https://h/shop");
  EXPECT_THAT(secrets(), ElementsAre("token  t0ken"));
  ASSERT_EQ(schedules().size(), 1U);
  EXPECT_EQ(schedules()[0].next_run_at, now + std::chrono::hours(3));
  EXPECT_EQ(schedules()[0].owner, kConfigOwner);
  EXPECT_EQ(configured(ConfiguredKind::project, project().id)->file, "/etc/runner/config.yaml");
  EXPECT_EQ(configured(ConfiguredKind::schedule, schedules()[0].id)->name, "nightly");
  const std::int64_t version = project().version, schedule = schedules()[0].version;
  now += std::chrono::hours(100);
  EXPECT_THAT(apply(), IsEmpty());
  EXPECT_EQ(project().version, version);
  EXPECT_EQ(schedules()[0].version, schedule);
  EXPECT_EQ(schedules()[0].next_run_at, now - std::chrono::hours(97)) << "what is due stays due";
}

TEST_F(ConfigApply, ChangesWhatTheFileChanges) {
  apply();
  config.projects[0].record.poll_interval = std::chrono::minutes(5);
  config.projects[0].token = "n3w";
  config.projects[0].username = "ci";
  config.projects[0].schedules[0].variables = {{"A", "c"}};
  EXPECT_THAT(apply(), ElementsAre("project 'shop' is changed", "project 'shop' has other credentials",
                                   "project 'shop' has another schedule 'nightly'"));
  EXPECT_EQ(project().poll_interval, std::chrono::minutes(5));
  EXPECT_THAT(secrets(), ElementsAre("token ci n3w"));
  config.projects[0].token.reset();
  config.projects[0].ssh_key = "-----BEGIN";
  config.projects[0].webhook_secret = "h00k";
  apply();
  EXPECT_THAT(secrets(), ElementsAre("ssh_key ci -----BEGIN", "webhook_secret  h00k"))
      << "a token and a key take each other's place";
  config.projects[0].ssh_key.reset();
  config.projects[0].webhook_secret.reset();
  EXPECT_THAT(apply(), IsEmpty()) << "what the file does not say of credentials stays";
}

TEST_F(ConfigApply, WhatTheFileMayLeaveOutIsPeoplesUntilItSaysIt) {
  apply();
  const auto people_say = [&] {
    store->write([&](storage::Tx& tx) {
      auto is = storage::Projects(tx).find("shop").value();
      is.forge = "gitea";
      is.forge_api = "https://h/api/v1";
      is.forge_repository = "a/b";
      is.merge_requests = true;
      is.priority = 5;
      storage::Projects(tx).replace(is, is.version);
    });
  };
  people_say();
  EXPECT_THAT(apply(), IsEmpty()) << "it never said anything of it";
  config.projects[0].record.poll_interval = std::chrono::minutes(5);
  apply();
  EXPECT_EQ(project().forge, "gitea");
  EXPECT_EQ(project().priority, 5);
  ConfigProject& shop = config.projects[0];
  shop.forge = "gitlab";
  shop.forge_api = "https://h/api/v4";
  shop.forge_repository = "c/d";
  shop.merge_requests = false;
  shop.priority = -3;
  EXPECT_THAT(apply(), ElementsAre("project 'shop' is changed"));
  EXPECT_EQ(project().forge, "gitlab");
  EXPECT_EQ(project().forge_api, "https://h/api/v4");
  EXPECT_EQ(project().forge_repository, "c/d");
  EXPECT_FALSE(project().merge_requests);
  EXPECT_EQ(project().priority, -3);
  EXPECT_THAT(
      configured(ConfiguredKind::project, project().id)->fields,
      testing::IsSupersetOf({"forge", "forge_api", "forge_repository", "merge_requests", "priority"}));
  shop.forge = shop.forge_api = shop.forge_repository = std::nullopt;
  shop.merge_requests = std::nullopt;
  shop.priority = std::nullopt;
  EXPECT_THAT(apply(), ElementsAre("project 'shop' is changed"));
  EXPECT_EQ(project().forge + project().forge_api + project().forge_repository, "")
      << "what it says no more is as if nobody had said it";
  EXPECT_EQ(project().priority, 0);
  people_say();
  EXPECT_THAT(apply(), IsEmpty()) << "and people's again";
  EXPECT_EQ(project().priority, 5);
}

TEST_F(ConfigApply, ResourceGroupsFollowTheFile) {
  const auto modes = [&] {
    std::map<std::string, std::string> found;
    const std::int64_t id = project().id;
    store->read([&](storage::Tx& tx) {
      for (const auto& record : storage::ResourceGroupModes(tx).of_project(id))
        found[record.name] = record.mode;
    });
    return found;
  };
  apply();
  const std::int64_t id = project().id;
  store->write([&](storage::Tx& tx) { storage::ResourceGroupModes(tx).put({id, "bench", "newest_first"}); });
  config.projects[0].resource_groups = {{"production", engine::ResourceMode::oldest_first}};
  EXPECT_THAT(apply(), ElementsAre("project 'shop' has the resource group 'production' oldest_first"));
  EXPECT_THAT(modes(), ElementsAre(Pair("bench", "newest_first"), Pair("production", "oldest_first")));
  EXPECT_THAT(apply(), IsEmpty());
  EXPECT_THAT(configured(ConfiguredKind::project, project().id)->fields,
              testing::Contains("resource_groups.production"));
  config.projects[0].resource_groups.clear();
  EXPECT_THAT(apply(), ElementsAre("project 'shop' has the resource group 'production' unordered"));
  EXPECT_THAT(modes(), ElementsAre(Pair("bench", "newest_first"), Pair("production", "unordered")));
  EXPECT_THAT(apply(), IsEmpty());
}

TEST_F(ConfigApply, TheTokenForTheForgeIsASecretOfItsOwn) {
  config.projects[0].forge_token = "f0rge";
  apply();
  EXPECT_THAT(secrets(), testing::UnorderedElementsAre("token  t0ken", "forge_token  f0rge"));
  config.projects[0].forge_token = "n3w";
  EXPECT_THAT(apply(), ElementsAre("project 'shop' has other credentials"));
  EXPECT_THAT(secrets(), testing::UnorderedElementsAre("token  t0ken", "forge_token  n3w"));
  EXPECT_THAT(apply(), IsEmpty());
}

TEST_F(ConfigApply, OneThatIsGoneIsPausedAndComesBack) {
  apply();
  const std::int64_t id = project().id, schedule = schedules()[0].id;
  const auto projects = std::exchange(config.projects, {});
  EXPECT_THAT(apply(),
              ElementsAre("project 'shop' is paused, as it is in the file no more; its history stays"));
  EXPECT_TRUE(project().paused);
  EXPECT_EQ(configured(ConfiguredKind::project, id), std::nullopt) << "people may change it now";
  EXPECT_EQ(configured(ConfiguredKind::schedule, schedule), std::nullopt);
  EXPECT_THAT(apply(), IsEmpty());
  config.projects = projects;
  EXPECT_THAT(apply(), testing::Contains("project 'shop' is changed"));
  EXPECT_FALSE(project().paused);
  EXPECT_EQ(project().id, id);
}

TEST_F(ConfigApply, AScheduleThatIsGoneIsRemoved) {
  apply();
  config.projects[0].schedules.clear();
  EXPECT_THAT(apply(), ElementsAre("project 'shop' has no schedule 'nightly' any more"));
  EXPECT_THAT(schedules(), IsEmpty());
}

TEST_F(ConfigApply, TakesOverWhatPeopleMadeAndLeavesTheirSchedules) {
  store->write([&](storage::Tx& tx) {
    storage::ProjectRecord mine;
    mine.name = "shop";
    mine.url = "https://h/old";
    mine.paused = true;
    mine.id = storage::Projects(tx).insert(mine);
    storage::ScheduleRecord schedule;
    schedule.project = mine.id;
    schedule.description = "nightly";
    schedule.cron = "@daily";
    schedule.time_zone = "UTC";
    schedule.owner = "kim";
    storage::Schedules(tx, sealer).insert(schedule, "{}");
  });
  apply();
  EXPECT_EQ(project().url, "https://h/shop");
  EXPECT_FALSE(project().paused);
  ASSERT_EQ(schedules().size(), 2U);
  EXPECT_EQ(schedules()[0].owner, "kim");
  EXPECT_EQ(configured(ConfiguredKind::schedule, schedules()[0].id), std::nullopt);
}

TEST_F(ConfigApply, NewTimesAreReckonedFromNow) {
  apply();
  now += std::chrono::hours(30);
  config.projects[0].schedules[0].cron = "0 12 * * *";
  apply();
  EXPECT_EQ(schedules()[0].next_run_at, now + std::chrono::hours(6));
  config.projects[0].schedules[0].active = false;
  apply();
  EXPECT_FALSE(schedules()[0].active);
}

TEST_F(ConfigApply, WithoutAFileAllIsPeoplesAgain) {
  apply();
  forget_config(*store);
  EXPECT_EQ(configured(ConfiguredKind::project, project().id), std::nullopt);
  EXPECT_FALSE(project().paused);
}

TEST_F(ConfigApply, WhatWasChangedIsToldAsEvents) {
  apply();
  store->read([&](storage::Tx& tx) {
    const auto events = storage::EventLog(tx).after(0, 10);
    ASSERT_EQ(events.size(), 3U);
    EXPECT_EQ(events[0].kind, "project.created");
    EXPECT_EQ(events[0].payload, R"({"by":"/etc/runner/config.yaml","project":"shop"})");
    EXPECT_EQ(events[2].kind, "schedule.created");
  });
}

TEST_F(ConfigApply, AProjectIsRemovedWithWhatIsKnownOfIt) {
  apply();
  const std::int64_t id = project().id;
  store->write([&](storage::Tx& tx) { EXPECT_TRUE(storage::Projects(tx).remove(id)); });
  store->read([&](storage::Tx& tx) { EXPECT_THAT(storage::Configured(tx).all(), IsEmpty()); });
}

}  // namespace
}  // namespace runner::daemon
