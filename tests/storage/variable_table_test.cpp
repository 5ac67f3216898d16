#include "runner/storage/variable_table.h"

#include "runner/storage/row.h"
#include "runner/storage/sealed_values.h"
#include "tests/storage/store_kinds.h"

namespace runner::storage {
namespace {

class VariableTable : public EachStore {
 protected:
  static VariableRecord record(std::int64_t project, const std::string& key, const std::string& scope = "*") {
    VariableRecord variable;
    variable.project = project;
    variable.key = key;
    variable.scope = scope;
    variable.created_at = variable.updated_at = at(5);
    return variable;
  }
  VariableRecord add(const VariableRecord& variable, const std::string& value = "s3cret-value") {
    write([&](Tx& tx) { Variables(tx, sealer_).insert(variable, value); });
    return find(variable.project, variable.key, variable.scope).value();
  }
  std::optional<VariableRecord> find(std::int64_t project, const std::string& key,
                                     const std::string& scope = "*") {
    std::optional<VariableRecord> found;
    read([&](Tx& tx) { found = Variables(tx, sealer_).find(project, key, scope); });
    return found;
  }
  std::string open(const VariableRecord& variable) {
    std::string text;
    read([&](Tx& tx) { text = Variables(tx, sealer_).open(variable).text(); });
    return text;
  }
  bool replace(const VariableRecord& next, std::optional<std::string_view> value = {}) {
    bool done = false;
    write([&](Tx& tx) { done = Variables(tx, sealer_).replace(next, value); });
    return done;
  }
};

INSTANTIATE_TEST_SUITE_P(Kinds, VariableTable, testing::ValuesIn(store_kinds()), kind_name);

TEST_P(VariableTable, ComesBackAsItWasWrittenAndOpens) {
  VariableRecord written = record(new_project(), "DEPLOY_KEY", "review/*");
  written.kind = VariableKind::file;
  written.masked = written.is_protected = written.raw = true;
  written.description = "of the host";
  const VariableRecord found = add(written, "-----BEGIN KEY-----\nabc\n");
  EXPECT_EQ(found.project, written.project);
  EXPECT_EQ(found.key, "DEPLOY_KEY");
  EXPECT_EQ(found.scope, "review/*");
  EXPECT_EQ(found.kind, VariableKind::file);
  EXPECT_TRUE(found.masked && found.is_protected && found.raw);
  EXPECT_EQ(found.description, "of the host");
  EXPECT_EQ(found.version, 0);
  EXPECT_EQ(found.created_at, at(5));
  EXPECT_EQ(found.updated_at, at(5));
  EXPECT_EQ(open(found), "-----BEGIN KEY-----\nabc\n");
}

TEST_P(VariableTable, ThereIsOneOfEachKeyAndScope) {
  const std::int64_t project = new_project(), other = new_project("docs");
  add(record(project, "A", "production"), "of production");
  add(record(project, "A"), "of all");
  add(record(other, "A"), "of docs");
  add(record(project, "B"), "");
  write([&](Tx& tx) {
    EXPECT_TRUE(fails_with(ErrorCode::conflict, "'A' for the scope '*' already",
                           [&] { Variables(tx, sealer_).insert(record(project, "A"), "again"); }));
  });
  EXPECT_EQ(open(find(project, "A", "production").value()), "of production");
  EXPECT_EQ(open(find(project, "B").value()), "");
  EXPECT_FALSE(find(project, "A", "staging"));
  EXPECT_FALSE(find(project, "\xff"));
  read([&](Tx& tx) {
    Variables variables(tx, sealer_);
    EXPECT_EQ(variables.of_key(project, "A").size(), 2U);
    const auto all = variables.of_project(project);
    ASSERT_EQ(all.size(), 3U);
    EXPECT_EQ(all[0].scope, "*");
    EXPECT_EQ(all[1].scope, "production");
    EXPECT_EQ(all[2].key, "B");
  });
}

TEST_P(VariableTable, ChangesKeepTheValueUnlessThereIsANewOne) {
  const VariableRecord first = add(record(new_project(), "A"));
  VariableRecord next = first;
  next.is_protected = true;
  next.description = "new";
  next.updated_at = at(9);
  EXPECT_TRUE(replace(next));
  EXPECT_FALSE(replace(next)) << "the version is another one now";
  next = find(first.project, "A").value();
  EXPECT_EQ(next.version, 1);
  EXPECT_EQ(next.description, "new");
  EXPECT_EQ(next.updated_at, at(9));
  EXPECT_EQ(next.created_at, at(5));
  EXPECT_EQ(open(next), "s3cret-value");
  EXPECT_TRUE(replace(next, "another"));
  next = find(first.project, "A").value();
  EXPECT_EQ(open(next), "another");
  next.masked = true;
  write([&](Tx& tx) {
    EXPECT_TRUE(fails_with(ErrorCode::invalid_input, "less than 8 characters", [&] {
      Variables(tx, sealer_).replace(next, std::nullopt);
    })) << "what is there is to be masked as well";
  });
  write([&](Tx& tx) {
    EXPECT_TRUE(Variables(tx, sealer_).remove(next.id));
    EXPECT_FALSE(Variables(tx, sealer_).remove(next.id));
  });
  EXPECT_FALSE(replace(next, "much-too-late"));
}

TEST_P(VariableTable, WhoChangesForWhomItIsInTheDatabaseGetsNothing) {
  const std::int64_t project = new_project();
  const char* const changes[] = {"UPDATE variables SET scope = 'dev'", "UPDATE variables SET name = 'B'",
                                 "UPDATE variables SET protected = 0", "UPDATE variables SET masked = 0"};
  for (const char* change : changes) {
    SCOPED_TRACE(change);
    VariableRecord variable = record(project, "A", "production");
    variable.is_protected = variable.masked = true;
    add(variable);
    write([&](Tx& tx) { tx.sql().exec(change, {}); });
    read([&](Tx& tx) {
      const VariableRecord changed = Variables(tx, sealer_).of_project(project).at(0);
      EXPECT_TRUE(
          fails_with(ErrorCode::internal, "does not open", [&] { Variables(tx, sealer_).open(changed); }));
    });
    write([&](Tx& tx) { tx.sql().exec("DELETE FROM variables", {}); });
  }
}

TEST_P(VariableTable, WhatCannotBeIsRefusedWithTheMend) {
  const std::int64_t project = new_project();
  struct Case {
    std::string key, scope, value;
    bool masked;
    VariableKind kind;
    const char* says;
  };
  constexpr auto kText = VariableKind::env_var, kFile = VariableKind::file;
  const Case cases[] = {
      {"", "*", "x", false, kText, "the key must be 1 to 255 letters"},
      {"1A", "*", "x", false, kText, "the first no digit"},
      {"A-B", "*", "x", false, kText, "letters, digits and '_'"},
      {std::string(256, 'A'), "*", "x", false, kText, "1 to 255"},
      {"A", "", "x", false, kText, "the environment scope must be"},
      {"A", "a?b", "x", false, kText, "the environment scope must be"},
      {"A", std::string(256, 'a'), "x", false, kText, "255 bytes at most"},
      {"A", "*", std::string(kMaxVariableValue + 1, 'x'), false, kText,
       "may have 65536 bytes, and has 65537"},
      {"A", "*", std::string("a\0b", 3), false, kText, "zero byte"},
      {"A", "*", "\xff\xfe", false, kFile, "not UTF-8"},
      {"A", "*", "1234567", true, kText, "less than 8 characters"},
      {"A", "*", "ääää", true, kText, "less than 8 characters"},
      {"A", "*", "", true, kText, "less than 8 characters"},
      {"A", "*", "12345678\n12345678", true, kText, "several lines"},
      {"A", "*", "1234 5678", true, kText, "blanks"},
      {"A", "*", "short\n1234567 \n", true, kFile, "no line of it has 8 characters"},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.says);
    VariableRecord variable = record(project, each.key, each.scope);
    variable.masked = each.masked;
    variable.kind = each.kind;
    write([&](Tx& tx) {
      EXPECT_TRUE(fails_with(ErrorCode::invalid_input, each.says,
                             [&] { Variables(tx, sealer_).insert(variable, each.value); }));
    });
  }
  EXPECT_EQ(count("variables"), 0);
  write([&](Tx& tx) {
    EXPECT_TRUE(fails_with(ErrorCode::not_found, "project",
                           [&] { Variables(tx, sealer_).insert(record(99, "A"), "x"); }));
  });
  VariableRecord most = record(project, std::string(255, 'A'), "review/${CI_COMMIT_REF_SLUG} *.x");
  most.masked = true;
  add(most, std::string(kMaxVariableValue, 'x'));
  most = record(project, "PEM");
  most.masked = true;
  most.kind = kFile;
  add(most, "a\nlong enough\n");
}

TEST_P(VariableTable, ValueIsNowhereInTheFileAndKeepsItsKeyNeeded) {
  read([&](Tx& tx) { EXPECT_FALSE(has_sealed_values(tx)); });
  add(record(new_project(), "A"), "s3cret-that-nobody-sees");
  read([&](Tx& tx) { EXPECT_TRUE(has_sealed_values(tx)); });
  if (GetParam() != "file") return;
  store_.reset();  // writes the log of changes into the database
  EXPECT_EQ(read_file(dir_.path() / "runner.db").value().find("s3cret"), std::string::npos);
}

TEST(VariableKind, IsReadAsItIsShown) {
  for (const VariableKind kind : {VariableKind::env_var, VariableKind::file})
    EXPECT_EQ(parse_variable_kind(to_string(kind)), kind);
  EXPECT_FALSE(parse_variable_kind("FILE"));
}

}  // namespace
}  // namespace runner::storage
