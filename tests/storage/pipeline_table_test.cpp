#include "runner/storage/pipeline_table.h"

#include <atomic>
#include <thread>

#include "runner/storage/project_table.h"
#include "runner/storage/tables.h"
#include "tests/storage/store_kinds.h"

namespace runner::storage {
namespace {

using pipelines::JobStatus;

class PipelineTable : public EachStore {
 protected:
  std::int64_t add(PipelineRecord record) {
    std::int64_t id = 0;
    write([&](Tx& tx) { id = Pipelines(tx).insert(record); });
    return id;
  }
  std::vector<std::int64_t> list(const PipelineFilter& filter, std::size_t limit = 100) {
    std::vector<std::int64_t> ids;
    read([&](Tx& tx) {
      for (const auto& pipeline : Pipelines(tx).list(filter, limit)) ids.push_back(pipeline.id);
    });
    return ids;
  }
};

PipelineRecord push_of(std::int64_t project, const std::string& sha) {
  PipelineRecord record;
  record.project = "shop";
  record.project_id = project;
  record.source = "push";
  record.ref = "main";
  record.sha = sha;
  record.once_key = push_once_key(project, record.ref, sha);
  return record;
}

INSTANTIATE_TEST_SUITE_P(Kinds, PipelineTable, testing::ValuesIn(store_kinds()), kind_name);

TEST_P(PipelineTable, ComesBackAsItWasWritten) {
  PipelineRecord record = push_of(new_project(), "abc");
  record.name = "it's nightly";
  record.before_sha = "000";
  record.priority = -5;
  record.started_by = "webhook of gitea";
  record.status = JobStatus::running;
  record.created_at = at(3);
  const std::int64_t id = add(record);
  read([&](Tx& tx) {
    for (const auto& found : {Pipelines(tx).find(id), Pipelines(tx).find_iid(*record.project_id, 1)}) {
      ASSERT_TRUE(found);
      EXPECT_EQ(found->id, id);
      EXPECT_EQ(found->project, "shop");
      EXPECT_EQ(found->name, record.name);
      EXPECT_EQ(found->project_id, record.project_id);
      EXPECT_EQ(found->iid, 1);
      EXPECT_EQ(found->before_sha, "000");
      EXPECT_EQ(found->once_key, "1/main/abc");
      EXPECT_EQ(found->priority, -5);
      EXPECT_EQ(found->started_by, "webhook of gitea");
      EXPECT_EQ(found->status, JobStatus::running);
      EXPECT_EQ(found->created_at, at(3));
    }
    EXPECT_FALSE(Pipelines(tx).find_iid(*record.project_id, 2));
  });
}

TEST_P(PipelineTable, LocalRunHasNoProjectAndNoNumberInIt) {
  const std::int64_t one = add({}), two = add({});
  read([&](Tx& tx) {
    for (const std::int64_t id : {one, two}) {
      EXPECT_FALSE(Pipelines(tx).find(id)->project_id);
      EXPECT_FALSE(Pipelines(tx).find(id)->iid);
      EXPECT_FALSE(Pipelines(tx).find(id)->once_key);
    }
  });
}

TEST_P(PipelineTable, NumbersInAProjectHaveNoGapsFromWhatWasThere) {
  const std::int64_t shop = new_project("shop"), depot = new_project("depot");
  write([&](Tx& tx) {
    Pipelines pipelines(tx);
    const auto first = pipelines.insert_once(push_of(shop, "a"));
    ASSERT_TRUE(first);
    EXPECT_FALSE(pipelines.insert_once(push_of(shop, "a")));
    EXPECT_TRUE(pipelines.insert_once(push_of(depot, "a"))) << "keys name the project";
    PipelineRecord asked = push_of(shop, "a");
    asked.once_key.reset();
    const auto again = pipelines.insert_once(asked);
    ASSERT_TRUE(again) << "asked for, it runs again";
    EXPECT_EQ(pipelines.find(*again)->iid, 2);
    EXPECT_EQ(*again, *first + 2) << "what was there took no id";
  });
}

TEST_P(PipelineTable, TakenKeyNumberOrProjectIsAnError) {
  const std::int64_t project = new_project();
  PipelineRecord record = push_of(project, "a");
  add(record);
  EXPECT_TRUE(
      fails_with(ErrorCode::conflict, "there is a pipeline '1/main/a' already", [&] { add(record); }));
  record.once_key.reset();
  record.iid = 1;
  EXPECT_TRUE(fails_with(ErrorCode::conflict, "INSERT INTO pipelines", [&] { add(record); }));
  EXPECT_TRUE(fails_with(ErrorCode::not_found, "there is no project 99", [&] { add(push_of(99, "a")); }));
  EXPECT_EQ(count("pipelines"), 1);
}

TEST_P(PipelineTable, SameCommitOfManyWritersRunsOnce) {
  const std::int64_t project = new_project();
  std::atomic<int> started = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    Store& store = i % 2 == 0 ? *store_ : other();
    threads.emplace_back([&] {
      std::optional<std::int64_t> id;
      store.write([&](Tx& tx) { id = Pipelines(tx).insert_once(push_of(project, "a")); });
      if (id) ++started;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(started, 1);
  EXPECT_EQ(count("pipelines"), 1);
}

TEST_P(PipelineTable, ListIsNewestFirstNarrowedAndGoesOn) {
  const std::int64_t shop = new_project("shop"), depot = new_project("depot");
  PipelineRecord tag = push_of(shop, "b");
  tag.ref = "v1";
  PipelineRecord nightly = push_of(shop, "c");
  nightly.source = "schedule";
  nightly.status = JobStatus::failed;
  const auto a = add(push_of(shop, "a")), b = add(tag), c = add(nightly), d = add(push_of(depot, "d"));
  using Ids = std::vector<std::int64_t>;
  EXPECT_EQ(list({}), (Ids{d, c, b, a}));
  PipelineFilter filter;
  filter.project_id = shop;
  EXPECT_EQ(list(filter), (Ids{c, b, a}));
  EXPECT_EQ(list(filter, 2), (Ids{c, b}));
  filter.before = b;
  EXPECT_EQ(list(filter, 2), (Ids{a}));
  filter.before.reset();
  filter.ref = "main";
  EXPECT_EQ(list(filter), (Ids{c, a}));
  filter.status = JobStatus::failed;
  EXPECT_EQ(list(filter), (Ids{c}));
  filter.source = "push";
  EXPECT_EQ(list(filter), Ids{});
  filter.status = JobStatus::created;
  EXPECT_EQ(list(filter), (Ids{a}));
  filter.ref = "x' OR 1=1 --";
  EXPECT_EQ(list(filter), Ids{});
}

TEST_P(PipelineTable, UnfinishedAreThoseWithoutAFinalStatus) {
  std::vector<std::int64_t> expected;
  for (const JobStatus status :
       {JobStatus::created, JobStatus::success, JobStatus::waiting_for_resource, JobStatus::preparing,
        JobStatus::pending, JobStatus::failed, JobStatus::running, JobStatus::canceling, JobStatus::canceled,
        JobStatus::manual, JobStatus::scheduled, JobStatus::skipped}) {
    PipelineRecord record;
    record.status = status;
    const std::int64_t id = add(record);
    if (!is_completed(status)) expected.push_back(id);
  }
  read([&](Tx& tx) {
    std::vector<std::int64_t> ids;
    for (const auto& pipeline : Pipelines(tx).unfinished()) ids.push_back(pipeline.id);
    EXPECT_EQ(ids, expected);
  });
}

TEST_P(PipelineTable, WaitingAreThoseThatNeedNothingButRoom) {
  const std::int64_t project = new_project();
  const auto waits = [&](const std::string& sha, std::int64_t priority = 0) {
    PipelineRecord record = push_of(project, sha);
    record.status = JobStatus::pending;
    record.priority = priority;
    return record;
  };
  const auto add_job = [&](std::int64_t pipeline, std::size_t index, JobStatus status) {
    write([&](Tx& tx) {
      JobRecord job;
      job.id = tx.take_ids("jobs", 1);
      job.pipeline = pipeline;
      job.plan_index = index;
      job.status = status;
      Jobs(tx).insert(job);
    });
  };
  PipelineRecord begun = waits("begun"), grouped = waits("grouped"), running = waits("running"),
                 of_none = waits("none");
  begun.started_at = at(3);
  grouped.resource_groups = true;
  running.status = JobStatus::running;
  of_none.project_id.reset();
  for (const PipelineRecord& record : {begun, grouped, running, of_none})
    add_job(add(record), 0, JobStatus::pending);
  const std::int64_t delayed = add(waits("delayed"));
  add_job(delayed, 0, JobStatus::pending);
  add_job(delayed, 1, JobStatus::scheduled);
  const std::int64_t first = add(waits("first", -2)), empty = add(waits("empty")), last = add(waits("last"));
  for (const std::size_t index : {3U, 1U}) add_job(last, index, JobStatus::pending);
  add_job(last, 2, JobStatus::created);
  add_job(first, 0, JobStatus::pending);
  read([&](Tx& tx) {
    const std::vector<WaitingPipeline> found = Pipelines(tx).waiting();
    ASSERT_EQ(found.size(), 3U);
    EXPECT_EQ(found[0].id, first);
    EXPECT_EQ(found[0].priority, -2);
    EXPECT_EQ(found[0].project, Projects(tx).find(project)->name);
    EXPECT_EQ(found[0].pending, std::vector<std::size_t>{0});
    EXPECT_EQ(found[1].id, empty);
    EXPECT_TRUE(found[1].pending.empty());
    EXPECT_EQ(found[2].id, last);
    EXPECT_EQ(found[2].pending, (std::vector<std::size_t>{1, 3}));
    EXPECT_TRUE(Pipelines(tx).find(2)->resource_groups);
    EXPECT_FALSE(Pipelines(tx).find(last)->resource_groups);
  });
}

TEST_P(PipelineTable, FrozenPlanComesBackAndIsSealed) {
  const std::int64_t one = add(push_of(new_project(), "a")), two = add({});
  const std::string plan(3'000'000, 'p');
  write([&](Tx& tx) {
    Pipelines(tx).keep_frozen(one, plan, "facts", sealer_);
    Pipelines(tx).keep_frozen(two, "other", "", sealer_);
  });
  read([&](Tx& tx) {
    const auto found = Pipelines(tx).frozen(one, sealer_);
    ASSERT_TRUE(found);
    EXPECT_TRUE(found->plan.text() == plan);
    EXPECT_EQ(found->facts.text(), "facts");
    EXPECT_EQ(Pipelines(tx).frozen(two, sealer_)->facts.text(), "");
    EXPECT_FALSE(Pipelines(tx).frozen(99, sealer_));
    EXPECT_TRUE(fails_with(ErrorCode::conflict, "which is not here",
                           [&] { Pipelines(tx).frozen(two, sealer_of('x')); }));
  });
  EXPECT_THROW(write([&](Tx& tx) { Pipelines(tx).keep_frozen(one, "again", "", sealer_); }), Error);
  // The plan of another pipeline, and facts in the place of the plan.
  write([&](Tx& tx) {
    tx.sql().exec("UPDATE pipeline_plans SET plan = (SELECT plan FROM pipeline_plans WHERE pipeline_id = $1)",
                  {one});
    EXPECT_TRUE(
        fails_with(ErrorCode::internal, "does not open", [&] { Pipelines(tx).frozen(two, sealer_); }));
    tx.sql().exec("UPDATE pipeline_plans SET plan = facts", {});
    EXPECT_TRUE(
        fails_with(ErrorCode::internal, "does not open", [&] { Pipelines(tx).frozen(one, sealer_); }));
  });
}

}  // namespace
}  // namespace runner::storage
