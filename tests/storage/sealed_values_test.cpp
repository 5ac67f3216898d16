#include "runner/storage/sealed_values.h"

#include "runner/storage/credential_table.h"
#include "runner/storage/pipeline_table.h"
#include "runner/storage/schedule_table.h"
#include "runner/storage/variable_table.h"
#include "tests/storage/store_kinds.h"

namespace runner::storage {
namespace {

class SealedValuesTest : public EachStore {
 protected:
  SealedValuesTest() : project_(new_project()) {
    write([&](Tx& tx) {
      CredentialRecord credential;
      credential.project = project_;
      for (int i = 0; i < kCredentials; ++i)
        credential_ = Credentials(tx, sealer_).insert(credential, "s3cret");
      ScheduleRecord schedule;
      schedule.project = project_;
      schedule_ = Schedules(tx, sealer_).insert(schedule, "{}");
      variable_.project = project_;
      variable_.key = "A";
      variable_.masked = variable_.is_protected = true;
      variable_.id = Variables(tx, sealer_).insert(variable_, "long-enough");
      PipelineRecord pipeline;
      pipeline.project = "shop";
      pipeline_ = Pipelines(tx).insert(pipeline);
      Pipelines(tx).keep_frozen(pipeline_, "plan", "facts", sealer_);
    });
  }
  std::string change_key(char to) {
    sealer_.use_key(Secret::copy_of(std::string(kDataKeySize, to)));
    return sealer_.key_id();
  }
  RenewTally renew() {
    SealedValues values(*store_, sealer_);
    while (values.renew_some()) {
    }
    return values.tally();
  }
  std::map<std::string, std::int64_t> counts() {
    std::map<std::string, std::int64_t> found;
    read([&](Tx& tx) { found = count_sealed_values(tx); });
    return found;
  }
  void expect_all_open(const Sealer& sealer) {
    read([&](Tx& tx) {
      EXPECT_EQ(Credentials(tx, sealer).open(credential_)->text(), "s3cret");
      EXPECT_EQ(Schedules(tx, sealer).variables(schedule_)->text(), "{}");
      EXPECT_EQ(Variables(tx, sealer).open(variable_).text(), "long-enough");
      EXPECT_EQ(Pipelines(tx).frozen(pipeline_, sealer)->plan.text(), "plan");
      EXPECT_EQ(Pipelines(tx).frozen(pipeline_, sealer)->facts.text(), "facts");
    });
  }

  static constexpr int kCredentials = 45;  // more than fit one transaction
  static constexpr std::int64_t kAll = kCredentials + 4;
  std::int64_t project_, credential_ = 0, schedule_ = 0, pipeline_ = 0;
  VariableRecord variable_;
};

INSTANTIATE_TEST_SUITE_P(Kinds, SealedValuesTest, testing::ValuesIn(store_kinds()), kind_name);

TEST_P(SealedValuesTest, AllGetTheNewKeyWhereverTheyLie) {
  const std::string before = sealer_.key_id();
  EXPECT_EQ(counts(), (std::map<std::string, std::int64_t>{{before, kAll}}));
  EXPECT_EQ(renew().renewed, 0U);
  const std::string after = change_key('l');
  const RenewTally tally = renew();
  EXPECT_EQ(tally.renewed, static_cast<std::size_t>(kAll));
  EXPECT_TRUE(tally.failures.empty());
  EXPECT_EQ(counts(), (std::map<std::string, std::int64_t>{{after, kAll}}));
  expect_all_open(sealer_of('l'));
  EXPECT_EQ(renew().renewed, 0U);
}

TEST_P(SealedValuesTest, WhatEndsInTheMiddleIsTakenUp) {
  change_key('l');
  {
    SealedValues values(*store_, sealer_);
    values.renew_some();
  }
  EXPECT_EQ(counts().size(), 2U);
  expect_all_open(sealer_);
  change_key('m');
  renew();
  EXPECT_EQ(counts().size(), 1U);
  expect_all_open(sealer_of('m'));
}

TEST_P(SealedValuesTest, OneThatDoesNotOpenStaysAndIsNamed) {
  write([&](Tx& tx) {
    // A value that somebody has moved to where it would be given to others.
    tx.sql().exec("UPDATE variables SET protected = 0 WHERE id = $1", {variable_.id});
  });
  const std::string before = sealer_.key_id(), after = change_key('l');
  const RenewTally tally = renew();
  ASSERT_EQ(tally.failures.size(), 1U);
  EXPECT_NE(tally.failures[0].find("value of A for * in project"), std::string::npos) << tally.failures[0];
  EXPECT_EQ(counts(), (std::map<std::string, std::int64_t>{{before, 1}, {after, kAll - 1}}));
}

}  // namespace
}  // namespace runner::storage
