#include "runner/storage/project_table.h"

#include <atomic>
#include <limits>
#include <thread>

#include "runner/storage/credential_table.h"
#include "runner/storage/delivery_table.h"
#include "runner/storage/ref_table.h"
#include "runner/storage/schedule_table.h"
#include "runner/storage/tables.h"
#include "runner/storage/variable_table.h"
#include "tests/storage/store_kinds.h"

namespace runner::storage {
namespace {

using pipelines::JobStatus;

class ProjectTable : public EachStore {
 protected:
  std::int64_t add_pipeline(std::int64_t project, JobStatus status) {
    std::int64_t id = 0;
    write([&](Tx& tx) {
      PipelineRecord pipeline;
      pipeline.project_id = project;
      pipeline.status = status;
      id = Pipelines(tx).insert(pipeline);
      Pipelines(tx).keep_frozen(id, "{}", "{}", sealer_);
      JobRecord job;
      job.id = tx.take_ids("jobs", 1);
      job.pipeline = id;
      Jobs(tx).insert(job);
      Events(tx).append({job.id, 1, "enqueued", JobStatus::created, JobStatus::pending, "", {}});
      Outbox(tx).append({"stop:" + std::to_string(job.id), "stop", job.id, "", {}});
    });
    return id;
  }
  /// Everything that can hang on a project.
  void furnish(std::int64_t project) {
    add_pipeline(project, JobStatus::success);
    write([&](Tx& tx) {
      Credentials(tx, sealer_).insert({0, project, CredentialKind::token, "ci", {}}, "s3cret");
      RefHeads(tx).upsert({project, "refs/heads/main", "abc", {}});
      DeliveryRecord delivery;
      delivery.project = project;
      Deliveries(tx).insert_once(delivery);
      ScheduleRecord schedule;
      schedule.project = project;
      Schedules(tx, sealer_).insert(schedule, "{}");
      VariableRecord variable;
      variable.project = project;
      variable.key = "A";
      Variables(tx, sealer_).insert(variable, "s3cret");
    });
  }
};

INSTANTIATE_TEST_SUITE_P(Kinds, ProjectTable, testing::ValuesIn(store_kinds()), kind_name);

TEST_P(ProjectTable, ComesBackAsItWasWritten) {
  ProjectRecord record;
  record.id = 99;
  record.name = "web-shop";
  record.url = "ssh://git@git.example/it's \"it\"; DROP TABLE projects; --";
  record.branches = {"develop", "release/*", "caf\xc3\xa9"};
  record.tags = {"v*"};
  record.pipeline_file = "ci/pipeline.yml";
  record.poll_interval = std::chrono::milliseconds(0);
  record.paused = true;
  record.forge = "gitea";
  record.forge_api = "https://git.example/api/v1";
  record.forge_repository = "team/shop";
  record.merge_requests = true;
  record.merge_requests_noted = true;
  record.priority = -100;
  record.version = 12;
  record.created_at = at(1'700'000'000'123);
  std::int64_t id = 0;
  write([&](Tx& tx) { id = Projects(tx).insert(record); });
  EXPECT_EQ(id, 1) << "the id is the store's";
  read([&](Tx& tx) {
    for (const auto& found : {Projects(tx).find(id), Projects(tx).find("web-shop")}) {
      ASSERT_TRUE(found);
      EXPECT_EQ(found->id, id);
      EXPECT_EQ(found->name, record.name);
      EXPECT_EQ(found->url, record.url);
      EXPECT_EQ(found->branches, record.branches);
      EXPECT_EQ(found->tags, record.tags);
      EXPECT_EQ(found->pipeline_file, record.pipeline_file);
      EXPECT_EQ(found->poll_interval, record.poll_interval);
      EXPECT_TRUE(found->paused);
      EXPECT_EQ(found->forge, "gitea");
      EXPECT_EQ(found->forge_api, record.forge_api);
      EXPECT_EQ(found->forge_repository, "team/shop");
      EXPECT_TRUE(found->merge_requests);
      EXPECT_FALSE(found->merge_requests_noted) << "that is said by another";
      EXPECT_EQ(found->priority, -100);
      EXPECT_EQ(found->version, 0);
      EXPECT_EQ(found->created_at, record.created_at);
    }
    EXPECT_FALSE(Projects(tx).find(id + 1));
    EXPECT_FALSE(Projects(tx).find("shop"));
    EXPECT_FALSE(Projects(tx).find(std::string("a\0b", 3)));
  });
}

TEST_P(ProjectTable, DefaultsAreTheUsualOnes) {
  const std::int64_t id = new_project();
  read([&](Tx& tx) {
    const ProjectRecord found = Projects(tx).find(id).value();
    EXPECT_EQ(found.branches, (std::vector<std::string>{"develop", "main"}));
    EXPECT_TRUE(found.tags.empty());
    EXPECT_EQ(found.pipeline_file, ".gitlab-ci.yml");
    EXPECT_EQ(found.poll_interval, std::chrono::seconds(30));
    EXPECT_FALSE(found.paused);
    EXPECT_EQ(found.forge + found.forge_api + found.forge_repository, "");
    EXPECT_FALSE(found.merge_requests);
    EXPECT_EQ(found.priority, 0);
  });
}

TEST_P(ProjectTable, WhatCannotBeIsRefusedAndNothingIsWritten) {
  const std::vector<std::pair<std::string, std::function<void(ProjectRecord&)>>> cases = {
      {"the name of a project", [](auto& p) { p.name = "x'; DROP TABLE projects; --"; }},
      {"the name of a project", [](auto& p) { p.name = std::string("a\0b", 3); }},
      {"the address of the project", [](auto& p) { p.url = std::string("a\0b", 3); }},
      {"the path of the pipeline file", [](auto& p) { p.pipeline_file = std::string(5000, 'x'); }},
      {"may not be empty or have line breaks",
       [](auto& p) {
         p.branches = {"main", ""};
       }},
      {"may not be empty or have line breaks", [](auto& p) { p.tags = {"v1\nv2"}; }},
      {"a priority is a number from -100 to 100", [](auto& p) { p.priority = 101; }},
      {"a priority is a number from -100 to 100", [](auto& p) { p.priority = -101; }},
      {"the poll interval", [](auto& p) { p.poll_interval = std::chrono::milliseconds(-1); }},
  };
  for (const auto& [part, change] : cases) {
    ProjectRecord record;
    record.name = "shop";
    change(record);
    EXPECT_TRUE(fails_with(ErrorCode::invalid_input, part,
                           [&] { write([&](Tx& tx) { Projects(tx).insert(record); }); }));
    EXPECT_TRUE(fails_with(ErrorCode::invalid_input, part,
                           [&] { write([&](Tx& tx) { Projects(tx).replace(record, 0); }); }));
  }
  EXPECT_EQ(count("projects"), 0);
}

TEST_P(ProjectTable, NameIsThereOnce) {
  const std::int64_t shop = new_project("shop"), depot = new_project("depot");
  EXPECT_TRUE(
      fails_with(ErrorCode::conflict, "there is a project 'shop' already", [&] { new_project("shop"); }));
  write([&](Tx& tx) {
    ProjectRecord record = Projects(tx).find(depot).value();
    record.name = "shop";
    EXPECT_TRUE(fails_with(ErrorCode::conflict, "there is a project 'shop' already",
                           [&] { Projects(tx).replace(record, 0); }));
  });
  write([&](Tx& tx) {
    EXPECT_TRUE(Projects(tx).replace(Projects(tx).find(shop).value(), 0)) << "its own name is no other's";
  });
}

TEST_P(ProjectTable, ListGoesOnAfterAName) {
  for (const char* name : {"d", "b", "a", "c"}) new_project(name);
  const auto names = [&](const std::string& after, std::size_t limit) {
    std::string all;
    read([&](Tx& tx) {
      for (const auto& project : Projects(tx).list(after, limit)) all += project.name;
    });
    return all;
  };
  EXPECT_EQ(names("", 1000), "abcd");
  EXPECT_EQ(names("", 2), "ab");
  EXPECT_EQ(names("b", 2), "cd");
  EXPECT_EQ(names("bb", std::numeric_limits<std::size_t>::max()), "cd");
  EXPECT_EQ(names("d", 2), "");
  EXPECT_EQ(names("", 0), "");
}

TEST_P(ProjectTable, MergeRequestsAreNotedUntilTheyAreSwitchedOff) {
  const std::int64_t id = new_project();
  const auto set = [&](bool on) {
    write([&](Tx& tx) {
      ProjectRecord project = Projects(tx).find(id).value();
      project.merge_requests = on;
      EXPECT_TRUE(Projects(tx).replace(project, project.version));
    });
  };
  const auto noted = [&] {
    bool is = false;
    read([&](Tx& tx) { is = Projects(tx).find(id)->merge_requests_noted; });
    return is;
  };
  const auto note = [&] { write([&](Tx& tx) { Projects(tx).note_merge_requests(id); }); };
  note();
  EXPECT_FALSE(noted()) << "they are not watched";
  set(true);
  EXPECT_FALSE(noted());
  note();
  EXPECT_TRUE(noted());
  set(true);
  EXPECT_TRUE(noted());
  set(false);
  EXPECT_FALSE(noted());
  set(true);
  EXPECT_FALSE(noted()) << "what came meanwhile is old";
}

TEST_P(ProjectTable, ReplaceWithAnOldVersionWritesNothing) {
  const std::int64_t id = new_project();
  ProjectRecord mine, theirs;
  read([&](Tx& tx) { mine = Projects(tx).find(id).value(); });
  theirs = mine;
  mine.paused = true;
  theirs.url = "https://elsewhere.example";
  other().write([&](Tx& tx) { EXPECT_TRUE(Projects(tx).replace(theirs, theirs.version)); });
  write([&](Tx& tx) { EXPECT_FALSE(Projects(tx).replace(mine, mine.version)); });
  read([&](Tx& tx) {
    const ProjectRecord found = Projects(tx).find(id).value();
    EXPECT_EQ(found.url, theirs.url);
    EXPECT_FALSE(found.paused);
    EXPECT_EQ(found.version, 1);
  });
  mine.id = 99;
  mine.name = "gone";
  write([&](Tx& tx) { EXPECT_FALSE(Projects(tx).replace(mine, 0)) << "there is none"; });
}

TEST_P(ProjectTable, OfManyWritersWithOneVersionOneWins) {
  const std::int64_t id = new_project();
  std::atomic<int> won = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    Store& store = i % 2 == 0 ? *store_ : other();
    threads.emplace_back([&, i] {
      ProjectRecord record;
      record.id = id;
      record.name = "shop" + std::to_string(i);
      bool mine = false;
      store.write([&](Tx& tx) { mine = Projects(tx).replace(record, 0); });
      if (mine) ++won;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(won, 1);
}

TEST_P(ProjectTable, NumbersOfPipelinesRiseFromOneInEachProject) {
  const std::int64_t shop = new_project("shop"), depot = new_project("depot");
  write([&](Tx& tx) {
    EXPECT_EQ(Projects(tx).take_iid(shop), 1);
    EXPECT_EQ(Projects(tx).take_iid(shop), 2);
    EXPECT_EQ(Projects(tx).take_iid(depot), 1);
    EXPECT_EQ(Projects(tx).find(shop)->version, 0);
    EXPECT_TRUE(
        fails_with(ErrorCode::not_found, "there is no project 99", [&] { Projects(tx).take_iid(99); }));
  });
}

TEST_P(ProjectTable, RemovalTakesAllThatHangsOnItAndNothingElse) {
  const std::vector<std::string> tables = {"projects",   "pipelines", "pipeline_plans", "jobs",
                                           "job_events", "effects",   "credentials",    "ref_heads",
                                           "deliveries", "schedules", "variables"};
  const std::int64_t shop = new_project("shop"), depot = new_project("depot");
  furnish(shop);
  furnish(depot);
  for (const std::string& table : tables) EXPECT_EQ(count(table), 2) << table;
  write([&](Tx& tx) { EXPECT_TRUE(Projects(tx).remove(shop)); });
  for (const std::string& table : tables) EXPECT_EQ(count(table), 1) << table;
  read([&](Tx& tx) { EXPECT_TRUE(Projects(tx).find(depot)); });
  write([&](Tx& tx) { EXPECT_FALSE(Projects(tx).remove(shop)); });
}

TEST_P(ProjectTable, RemovalWaitsForUnfinishedPipelines) {
  const std::int64_t shop = new_project("shop");
  furnish(shop);
  const std::int64_t running = add_pipeline(shop, JobStatus::running);
  add_pipeline(shop, JobStatus::manual);
  EXPECT_TRUE(fails_with(ErrorCode::conflict, "the project has 2 unfinished pipelines; cancel what runs",
                         [&] { write([&](Tx& tx) { Projects(tx).remove(shop); }); }));
  EXPECT_EQ(count("pipelines"), 3);
  EXPECT_EQ(count("credentials"), 1);
  write([&](Tx& tx) {
    for (const std::int64_t id : {running, running + 1}) {
      PipelineRecord pipeline = Pipelines(tx).find(id).value();
      pipeline.status = JobStatus::canceled;
      EXPECT_TRUE(Pipelines(tx).replace(pipeline, pipeline.version));
    }
    EXPECT_TRUE(Projects(tx).remove(shop));
  });
  EXPECT_EQ(count("pipelines"), 0);
}

}  // namespace
}  // namespace runner::storage
