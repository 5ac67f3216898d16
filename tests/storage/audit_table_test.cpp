#include "runner/storage/audit_table.h"

#include <algorithm>
#include <thread>
#include <vector>

#include "runner/storage/deployment_table.h"
#include "tests/storage/store_kinds.h"

namespace runner::storage {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

class AuditTable : public EachStore {
 protected:
  std::int64_t append(const std::string& action, const std::string& actor = "ada",
                      const std::string& project = "shop") {
    std::int64_t seq = 0;
    write([&](Tx& tx) {
      AuditRecord record;
      record.at = at(1'764'280'000'042);
      record.actor = actor;
      record.action = action;
      record.project = project;
      seq = AuditLog(tx).append(record);
    });
    return seq;
  }
  std::vector<std::string> lines(const AuditFilter& filter = {}) {
    std::vector<std::string> all;
    read([&](Tx& tx) {
      all.clear();
      for (const AuditEntry& entry : AuditLog(tx).after(0, 1000, filter)) all.push_back(entry.line);
    });
    return all;
  }
  std::vector<std::int64_t> numbers(const AuditFilter& filter) {
    std::vector<std::int64_t> all;
    read([&](Tx& tx) {
      all.clear();
      for (const AuditEntry& entry : AuditLog(tx).after(0, 1000, filter)) all.push_back(entry.seq);
    });
    return all;
  }
  /// What the first record that does not follow is said to be; "" = the whole chain is good.
  std::string problem() {
    AuditChain chain;
    for (const std::string& line : lines())
      if (const auto wrong = chain.add(line)) return *wrong;
    return "";
  }
  AuditHead head() {
    AuditHead found;
    read([&](Tx& tx) { found = AuditLog(tx).head(); });
    return found;
  }
};

INSTANTIATE_TEST_SUITE_P(Kinds, AuditTable, testing::ValuesIn(store_kinds()), kind_name);

TEST_P(AuditTable, IsAChainThatAnybodyCanFollow) {
  EXPECT_EQ(head(), AuditHead{});
  write([](Tx& tx) {
    AuditRecord record{at(1'764'280'000'042), "ada", "admin", "token", 7, "10.0.0.9", "variable.updated"};
    record.object = "variable DEPLOY_KEY";
    record.project = "shop";
    record.reason = "it's \"old\"\n\xff";
    record.details = R"({"scope":"*","key":"DEPLOY_KEY"})";
    AuditLog(tx).append(record);
  });
  append("user.created", "root", "");
  const std::vector<std::string> all = lines();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_THAT(all[0],
              AllOf(HasSubstr(R"("actor":"ada")"), HasSubstr(R"("at":"2025-11-27T21:46:40.042Z")"),
                    HasSubstr(R"("details":{"key":"DEPLOY_KEY","scope":"*"})"), HasSubstr(R"("token":7)"),
                    HasSubstr(R"("result":"allow")"), HasSubstr(kNoAuditHash)));
  EXPECT_THAT(all[1], Not(HasSubstr("project")));
  EXPECT_EQ(problem(), "");
  AuditChain chain;
  for (const std::string& line : all) EXPECT_EQ(chain.add(line), std::nullopt);
  EXPECT_EQ(chain.head(), head());
  EXPECT_EQ(chain.head().seq, 2);
  EXPECT_EQ(chain.action(), "user.created");
}

/// Whoever owns the database can do anything to it; that it was done shows.
TEST_P(AuditTable, EveryTamperedRecordIsNamed) {
  if (GetParam() == "memory") GTEST_SKIP() << "one that nobody else can reach";
  struct Case {
    const char* sql;
    const char* problem;
  };
  const std::vector<Case> cases = {
      {"UPDATE audit_log SET record = replace(record, 'ada', 'eve') WHERE seq = 3", "record 3 was changed"},
      {"DELETE FROM audit_log WHERE seq = 2", "record 2 is missing: after 1 comes 3"},
      {"DELETE FROM audit_log WHERE seq = 1", "record 1 is missing: after 0 comes 2"},
      {"UPDATE audit_log SET record = replace(record, '\"seq\":4', '\"seq\":9') WHERE seq = 4",
       "record 4 is missing: after 3 comes 9"},
      {"UPDATE audit_log SET record = '{\"seq\":5}' WHERE seq = 5", "record 5 was changed"},
      {"UPDATE audit_log SET record = 'x' WHERE seq = 5", "record 5 is no JSON object"},
  };
  for (int n = 1; n <= 5; ++n) append("act." + std::to_string(n));
  struct Undo {};
  for (const Case& one : cases) {
    try {
      write([&](Tx& tx) {
        tx.sql().exec(one.sql, {});
        AuditChain chain;
        std::string found;
        for (const AuditEntry& entry : AuditLog(tx).after(0, 1000)) {
          if (const auto wrong = chain.add(entry.line)) {
            found = *wrong;
            break;
          }
        }
        EXPECT_THAT(found, HasSubstr(one.problem)) << one.sql;
        throw Undo();
      });
    } catch (const Undo&) {
    }
  }
  EXPECT_EQ(problem(), "");
}

TEST_P(AuditTable, ARewrittenHashBreaksTheNextRecord) {
  append("a");
  append("b");
  std::vector<std::string> all = lines();
  const std::string before(kNoAuditHash);
  // Whole by itself, as somebody writes it who knows how.
  const std::string forged = R"({"action":"z","at":"2025-11-27T21:46:40.042Z","result":"allow","seq":1})";
  all[0] = forged.substr(0, forged.size() - 1) + R"(,"hash":")" + audit_hash(before, forged) +
           R"(","prev_hash":")" + before + "\"}";
  AuditChain chain;
  EXPECT_EQ(chain.add(all[0]), std::nullopt);
  EXPECT_THAT(chain.add(all[1]).value_or(""), HasSubstr("record 2 does not follow the one before it"));
}

TEST_P(AuditTable, MayBeNarrowedAndReadBackwards) {
  append("variable.created", "ada", "shop");
  append("variable.removed", "bob", "shop");
  append("deployment.approved", "ada", "web");
  using Seqs = std::vector<std::int64_t>;
  EXPECT_EQ(numbers({}), (Seqs{1, 2, 3}));
  EXPECT_EQ(numbers({.actor = "ada"}), (Seqs{1, 3}));
  EXPECT_EQ(numbers({.action = "variable."}), (Seqs{1, 2}));
  EXPECT_EQ(numbers({.action = "variable.removed", .project = "shop"}), (Seqs{2}));
  EXPECT_EQ(numbers({.result = "deny"}), Seqs{});
  EXPECT_EQ(numbers({.actor = "a'; DROP TABLE audit_log"}), Seqs{});
  read([](Tx& tx) {
    const auto newest = AuditLog(tx).before(0, 2), older = AuditLog(tx).before(2, 9);
    ASSERT_EQ(newest.size(), 2U);
    EXPECT_EQ(newest[0].seq, 3);
    ASSERT_EQ(older.size(), 1U);
    EXPECT_EQ(older[0].seq, 1);
  });
}

TEST_P(AuditTable, WhatWasRolledBackIsNoPartOfIt) {
  append("a");
  struct Change {};
  EXPECT_THROW(write([](Tx& tx) {
                 AuditLog(tx).append({.at = at(1), .actor = "ada", .action = "lost"});
                 throw Change();
               }),
               Change);
  EXPECT_EQ(append("b"), 2);
  EXPECT_EQ(problem(), "");
}

TEST_P(AuditTable, WritersAtOnceMakeOneChain) {
  {
    std::vector<std::jthread> writers;
    for (const char* name : {"ada", "bob", "eve"})
      writers.emplace_back([this, name] {
        for (int i = 0; i < 10; ++i) append("act", name);
      });
  }
  EXPECT_EQ(lines().size(), 30U);
  EXPECT_EQ(problem(), "");
}

TEST_P(AuditTable, DeploymentsLeaveARecordOfEachState) {
  write([](Tx& tx) {
    const auto environment = Environments(tx).of("shop", "production", at(1));
    DeploymentRecord deployment;
    deployment.environment = environment.id;
    deployment.state = "queued";
    deployment.triggered_by = "ada";
    deployment.fingerprint = "f1";
    deployment = Deployments(tx).insert(deployment);
    deployment.reason = "its turn comes";
    ASSERT_TRUE(Deployments(tx).replace(deployment));  // the same state
    deployment.state = "locked";
    ASSERT_TRUE(Deployments(tx).replace(deployment));
    DeploymentRecord stale = deployment;
    stale.version = 0;
    stale.state = "failed";
    EXPECT_FALSE(Deployments(tx).replace(stale));
  });
  const auto all = lines({.project = "shop", .environment = "production"});
  EXPECT_THAT(all,
              ElementsAre(AllOf(HasSubstr(R"("action":"deployment.created","actor":"ada","after":"queued")"),
                                HasSubstr(R"("fingerprint":"f1")")),
                          HasSubstr(R"("action":"deployment.state","actor":"runner","after":"locked")")));
}

Secret seed_of(char byte) {
  return Secret::copy_of(std::string(32, byte));
}

TEST(AuditCheckpoint, IsBelievedOnlyAsItWasSigned) {
  const AuditKey key(seed_of('k'));
  const std::string line = key.sign({42, std::string(64, 'a')}, at(1'764'280'000'042));
  const AuditCheckpoint read = read_checkpoint(line + "\n");
  EXPECT_EQ(read.head, (AuditHead{42, std::string(64, 'a')}));
  EXPECT_EQ(read.at, "2025-11-27T21:46:40.042Z");
  EXPECT_EQ(read.key, key.public_key());
  EXPECT_NE(AuditKey(seed_of('l')).public_key(), key.public_key());

  const auto with = [&](const std::string& from, const std::string& to) {
    std::string changed = line;
    const std::size_t place = changed.find(from);
    return place == std::string::npos ? changed : changed.replace(place, from.size(), to);
  };
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {with("\"seq\":42", "\"seq\":43"), "signature of the checkpoint is wrong"},
      {with("aaaa", "aaab"), "signature of the checkpoint is wrong"},
      {with("2025", "2024"), "signature of the checkpoint is wrong"},
      {with(key.public_key(), AuditKey(seed_of('l')).public_key()), "signature of the checkpoint is wrong"},
      {with(key.public_key(), "QUJD"), "this is no checkpoint"},
      {"", "this is no checkpoint"},
      {"[1]", "this is no checkpoint"},
      {R"({"seq":1,"hash":"a"})", "this is no checkpoint"},
  };
  for (const auto& [text, why] : wrong)
    EXPECT_TRUE(fails_with(ErrorCode::invalid_input, why, [&, line = text] { read_checkpoint(line); }))
        << text;
}

/// RFC 8032, 7.1, test 1: the public key of a known seed.
TEST(AuditCheckpoint, ItsKeyIsTheOneOfTheStandard) {
  std::string seed;
  for (const char* hex = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"; *hex != 0;
       hex += 2)
    seed += static_cast<char>(std::stoi(std::string(hex, 2), nullptr, 16));
  EXPECT_EQ(AuditKey(Secret::copy_of(seed)).public_key(), "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
  EXPECT_TRUE(fails_with(ErrorCode::invalid_input, "has 32 bytes, and this one 3",
                         [] { const AuditKey key(Secret::copy_of("abc")); }));
}

}  // namespace
}  // namespace runner::storage
