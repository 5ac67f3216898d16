#include "runner/storage/credential_table.h"

#include "runner/storage/schedule_table.h"
#include "runner/storage/sealed_values.h"
#include "tests/storage/store_kinds.h"

namespace runner::storage {
namespace {

class CredentialTable : public EachStore {
 protected:
  std::int64_t add(std::int64_t project, const std::string& secret,
                   CredentialKind kind = CredentialKind::token) {
    std::int64_t id = 0;
    write([&](Tx& tx) { id = Credentials(tx, sealer_).insert({0, project, kind, "ci", at(5)}, secret); });
    return id;
  }
  std::string open(std::int64_t id) {
    std::string text;
    read([&](Tx& tx) { text = Credentials(tx, sealer_).open(id).value().text(); });
    return text;
  }
};

INSTANTIATE_TEST_SUITE_P(Kinds, CredentialTable, testing::ValuesIn(store_kinds()), kind_name);

TEST_P(CredentialTable, ComesBackAsItWasWrittenAndOpens) {
  const std::int64_t project = new_project();
  const std::vector<CredentialKind> kinds = {CredentialKind::token, CredentialKind::password,
                                             CredentialKind::ssh_key, CredentialKind::webhook_secret};
  for (const CredentialKind kind : kinds) {
    EXPECT_EQ(parse_credential_kind(to_string(kind)), kind);
    const std::string secret = "s3cret\n\xff of " + std::string(to_string(kind));
    const std::int64_t id = add(project, secret, kind);
    read([&](Tx& tx) {
      const CredentialRecord found = Credentials(tx, sealer_).find(id).value();
      EXPECT_EQ(found.id, id);
      EXPECT_EQ(found.project, project);
      EXPECT_EQ(found.kind, kind);
      EXPECT_EQ(found.username, "ci");
      EXPECT_EQ(found.created_at, at(5));
    });
    EXPECT_EQ(open(id), secret);
  }
  read([&](Tx& tx) {
    EXPECT_EQ(Credentials(tx, sealer_).of_project(project).size(), kinds.size());
    EXPECT_TRUE(Credentials(tx, sealer_).of_project(project + 1).empty());
    EXPECT_FALSE(Credentials(tx, sealer_).open(99));
  });
  EXPECT_FALSE(parse_credential_kind("Token"));
}

TEST_P(CredentialTable, SecretIsNowhereInTheFile) {
  if (GetParam() != "file") GTEST_SKIP() << "there is no file to look into";
  add(new_project(), "s3cret-that-nobody-sees");
  store_.reset();  // writes the log of changes into the database
  const std::string file = read_file(dir_.path() / "runner.db").value();
  EXPECT_NE(file.find("webhook"), 0U);
  EXPECT_NE(file.find("https://git.example/shop"), std::string::npos) << "one looks in the right place";
  EXPECT_EQ(file.find("s3cret"), std::string::npos);
}

TEST_P(CredentialTable, SecretThatWasMovedToAnotherRowDoesNotOpen) {
  const std::int64_t shop = add(new_project("shop"), "of the shop"),
                     depot = add(new_project("depot"), "of the depot");
  write([&](Tx& tx) {
    tx.sql().exec(
        "UPDATE credentials SET secret = (SELECT secret FROM credentials WHERE id = $1) WHERE id = $2",
        {shop, depot});
  });
  EXPECT_EQ(open(shop), "of the shop");
  EXPECT_TRUE(fails_with(ErrorCode::internal, "row 2 of 'credentials' does not open", [&] { open(depot); }));
}

TEST_P(CredentialTable, CutSecretAndWrongKeySayWhatToDo) {
  const std::int64_t id = add(new_project(), "s3cret");
  const Sealer other = sealer_of('x');
  read([&](Tx& tx) {
    EXPECT_TRUE(fails_with(ErrorCode::conflict, "put the key back that was there",
                           [&] { Credentials(tx, other).open(id); }));
  });
  write([&](Tx& tx) {
    tx.sql().exec("UPDATE credentials SET secret = $1", {std::vector<std::byte>(20, std::byte{1})});
  });
  EXPECT_TRUE(fails_with(ErrorCode::internal, "it has 20 B; set the value again", [&] { open(id); }));
  write([&](Tx& tx) { EXPECT_TRUE(Credentials(tx, sealer_).replace_secret(id, "new")); });
  EXPECT_EQ(open(id), "new");
}

TEST_P(CredentialTable, WhatCannotBeIsRefused) {
  const std::int64_t project = new_project();
  EXPECT_TRUE(fails_with(ErrorCode::invalid_input, "may not be empty", [&] { add(project, ""); }));
  EXPECT_TRUE(fails_with(ErrorCode::invalid_input, "may have 65536 bytes, and this one has 65537",
                         [&] { add(project, std::string(65'537, 'x')); }));
  EXPECT_TRUE(fails_with(ErrorCode::not_found, "there is no project 99", [&] { add(99, "s3cret"); }));
  EXPECT_TRUE(fails_with(ErrorCode::invalid_input, "the user name has a zero byte", [&] {
    write([&](Tx& tx) {
      Credentials(tx, sealer_).insert({0, project, CredentialKind::token, std::string("a\0b", 3), {}}, "s");
    });
  }));
  EXPECT_EQ(count("credentials"), 0);
}

TEST_P(CredentialTable, RemovedOneIsGone) {
  const std::int64_t id = add(new_project(), "s3cret");
  write([&](Tx& tx) {
    Credentials credentials(tx, sealer_);
    credentials.remove(id);
    credentials.remove(id);
    EXPECT_FALSE(credentials.find(id));
    EXPECT_FALSE(credentials.replace_secret(id, "new"));
  });
}

TEST_P(CredentialTable, SealedValuesAreKnownToBeThere) {
  const std::int64_t project = new_project();
  const auto sealed = [&] {
    bool found = false;
    read([&](Tx& tx) { found = has_sealed_values(tx); });
    return found;
  };
  EXPECT_FALSE(sealed());
  const std::int64_t id = add(project, "s3cret");
  EXPECT_TRUE(sealed());
  write([&](Tx& tx) { Credentials(tx, sealer_).remove(id); });
  EXPECT_FALSE(sealed());
  write([&](Tx& tx) {
    ScheduleRecord schedule;
    schedule.project = project;
    Schedules(tx, sealer_).insert(schedule, "{}");
  });
  EXPECT_TRUE(sealed());
}

}  // namespace
}  // namespace runner::storage
