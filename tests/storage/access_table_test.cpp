#include "runner/storage/access_table.h"

#include "runner/storage/access_token.h"
#include "tests/storage/store_kinds.h"

namespace runner::storage {
namespace {

class AccessTable : public EachStore {
 protected:
  std::int64_t add_user(const std::string& name, Role role = Role::developer) {
    std::int64_t id = 0;
    write([&](Tx& tx) { id = Users(tx).insert({0, name, role, at(1), std::nullopt}); });
    return id;
  }
  TokenRecord add_token(std::int64_t user) {
    TokenRecord token;
    token.user = user;
    token.name = "laptop";
    token.hash = make_token().hash;
    token.role = Role::admin;
    token.created_at = at(2);
    token.expires_at = at(1000);
    write([&](Tx& tx) { token.id = Tokens(tx).insert(token); });
    return token;
  }
};

INSTANTIATE_TEST_SUITE_P(Kinds, AccessTable, testing::ValuesIn(store_kinds()), kind_name);

TEST_P(AccessTable, UserComesBackAsWritten) {
  const std::int64_t jane = add_user("jane"), zoe = add_user("zoe", Role::admin);
  write([&](Tx& tx) {
    Users users(tx);
    for (const auto& found : {users.find(jane), users.find("jane")}) {
      ASSERT_TRUE(found);
      EXPECT_EQ(found->id, jane);
      EXPECT_EQ(found->name, "jane");
      EXPECT_EQ(found->role, Role::developer);
      EXPECT_EQ(found->created_at, at(1));
      EXPECT_FALSE(found->disabled_at);
    }
    EXPECT_FALSE(users.find("joe"));
    EXPECT_FALSE(users.find(std::string("a\0", 2)));
    EXPECT_EQ(users.list().size(), 2U);
    EXPECT_EQ(users.list("jane").at(0).id, zoe);
    EXPECT_EQ(users.list("", 1).at(0).id, jane);
    EXPECT_TRUE(users.set_role(jane, Role::admin));
    EXPECT_EQ(users.count_enabled(Role::admin), 2);
    EXPECT_TRUE(users.set_disabled(jane, at(5)));
    EXPECT_EQ(users.find(jane)->role, Role::admin);
    EXPECT_EQ(users.find(jane)->disabled_at, at(5));
    EXPECT_EQ(users.count_enabled(Role::admin), 1);
    EXPECT_TRUE(users.set_disabled(jane, std::nullopt));
    EXPECT_FALSE(users.find(jane)->disabled_at);
    EXPECT_FALSE(users.set_role(99, Role::admin));
    EXPECT_FALSE(users.set_disabled(99, at(5)));
  });
}

TEST_P(AccessTable, NameOfAUserIsThereOnceAndIsOne) {
  add_user("jane");
  EXPECT_TRUE(fails_with(ErrorCode::conflict, "there is a user 'jane' already", [&] { add_user("jane"); }));
  for (const std::string& name :
       {std::string("Jane"), std::string("a\0b", 3), std::string(100, 'x'), std::string()}) {
    EXPECT_TRUE(fails_with(ErrorCode::invalid_input, "the name of a user", [&] { add_user(name); }));
  }
  EXPECT_EQ(count("users"), 1);
}

TEST_P(AccessTable, TokenIsFoundByItsHash) {
  const std::int64_t jane = add_user("jane");
  const TokenRecord written = add_token(jane);
  read([&](Tx& tx) {
    for (const auto& found : {Tokens(tx).find(written.id), Tokens(tx).find_by_hash(written.hash)}) {
      ASSERT_TRUE(found);
      EXPECT_EQ(found->id, written.id);
      EXPECT_EQ(found->user, jane);
      EXPECT_EQ(found->name, "laptop");
      EXPECT_EQ(found->hash, written.hash);
      EXPECT_EQ(found->role, Role::admin);
      EXPECT_EQ(found->created_at, at(2));
      EXPECT_EQ(found->expires_at, at(1000));
      EXPECT_FALSE(found->last_used_at);
      EXPECT_FALSE(found->revoked_at);
    }
    EXPECT_FALSE(Tokens(tx).find_by_hash(std::string(64, '0')));
    EXPECT_FALSE(Tokens(tx).find_by_hash(""));
    EXPECT_EQ(Tokens(tx).of_user(jane).size(), 1U);
    EXPECT_TRUE(Tokens(tx).of_user(jane, written.id).empty());
  });
}

TEST_P(AccessTable, TokenItselfIsNeverTakenForItsHash) {
  TokenRecord token;
  token.user = add_user("jane");
  const NewToken made = make_token();
  const auto add = [&] { write([&](Tx& tx) { Tokens(tx).insert(token); }); };
  for (const std::string& wrong : {std::string(made.text.text()), std::string(64, 'A'), std::string()}) {
    token.hash = wrong;
    EXPECT_TRUE(fails_with(ErrorCode::invalid_input, "the hash of a token is a SHA-256", add));
  }
  token.hash = made.hash;
  add();
  EXPECT_TRUE(fails_with(ErrorCode::conflict, "this token is there already", add));
  token.hash = make_token().hash;
  token.user = 99;
  EXPECT_TRUE(fails_with(ErrorCode::not_found, "there is no user 99", add));
}

TEST_P(AccessTable, UseIsWrittenOnceAMinute) {
  const TokenRecord token = add_token(add_user("jane"));
  write([&](Tx& tx) {
    Tokens tokens(tx);
    const std::vector<std::pair<std::int64_t, bool>> uses = {
        {100'000, true}, {100'000, false}, {159'999, false},
        {160'000, true}, {160'001, false}, {50'000, true},  // the clock was set back
        {50'001, false}};
    for (const auto& [time, written] : uses) {
      EXPECT_EQ(is_use_written(tokens.find(token.id).value(), at(time)), written) << time;
      EXPECT_EQ(tokens.touch(token.id, at(time)), written) << time;
    }
    EXPECT_EQ(tokens.find(token.id)->last_used_at, at(50'000));
    EXPECT_FALSE(tokens.touch(99, at(1)));
  });
}

TEST_P(AccessTable, RevokedTokenKeepsItsFirstTime) {
  const TokenRecord token = add_token(add_user("jane"));
  write([&](Tx& tx) {
    EXPECT_TRUE(Tokens(tx).revoke(token.id, at(7)));
    EXPECT_TRUE(Tokens(tx).revoke(token.id, at(8)));
    EXPECT_EQ(Tokens(tx).find(token.id)->revoked_at, at(7));
    EXPECT_FALSE(Tokens(tx).revoke(99, at(7)));
  });
}

TEST(RoleNow, IsTheLesserOfTokenAndUserWhileBothAreGood) {
  TokenRecord token;
  token.user = 1;
  UserRecord user;
  user.id = 1;
  for (const Role of_token : {Role::viewer, Role::developer, Role::admin}) {
    EXPECT_EQ(parse_role(to_string(of_token)), of_token);
    for (const Role of_user : {Role::viewer, Role::developer, Role::admin}) {
      token.role = of_token;
      user.role = of_user;
      EXPECT_EQ(role_now(token, user, at(5)), std::min(of_token, of_user));
    }
  }
  token.expires_at = at(6);
  EXPECT_TRUE(role_now(token, user, at(5)));
  EXPECT_FALSE(role_now(token, user, at(6)));
  token.expires_at.reset();
  token.revoked_at = at(9);
  EXPECT_FALSE(role_now(token, user, at(5))) << "whatever the clock says";
  token.revoked_at.reset();
  user.disabled_at = at(9);
  EXPECT_FALSE(role_now(token, user, at(5)));
  user.disabled_at.reset();
  user.id = 2;
  EXPECT_FALSE(role_now(token, user, at(5)));
  EXPECT_FALSE(parse_role("root"));
}

}  // namespace
}  // namespace runner::storage
