#include "runner/storage/rights.h"

#include "runner/storage/role_table.h"
#include "tests/storage/store_kinds.h"

namespace runner::storage {
namespace {

TEST(Grant, IsReadAsItIsShown) {
  for (const char* text :
       {"rollback", "deploy@shop", "releaser@shop/production", "viewer@shop/review/*", "a.b+c@shop"}) {
    const Grant grant = parse_grant(text);
    EXPECT_EQ(to_string(grant), text);
  }
  const Grant grant = parse_grant("deploy@shop/review/x@y");
  EXPECT_EQ(grant.project, "shop");
  EXPECT_EQ(grant.environment, "review/x@y");
}

TEST(Grant, WhatCannotBeSaysWhy) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "begins with no permission and no role"},
      {"@shop", "begins with no permission and no role"},
      {"a b@shop", "begins with no permission"},
      {"deploy@", "names no project after the '@'"},
      {"deploy@/x", "names no project"},
      {"deploy@shop/", "names no environment after the '/'"},
      {"deploy@shop/a\nb", "names no environment"},
  };
  for (const auto& [text, why] : cases)
    EXPECT_TRUE(fails_with(ErrorCode::invalid_input, why, [&, &it = text] { parse_grant(it); })) << text;
}

TEST(Rights, AreOfTheirPlaceOnly) {
  struct Case {
    const char* grant;
    const char *project, *environment;
    bool may;
  };
  const Case cases[] = {
      {"deploy", "", "", true},
      {"deploy", "shop", "production", true},
      {"deploy@shop", "", "", false},
      {"deploy@shop", "shop", "", true},
      {"deploy@shop", "shop", "production", true},
      {"deploy@shop", "depot", "production", false},
      {"deploy@shop/production", "shop", "", false},
      {"deploy@shop/production", "shop", "production", true},
      {"deploy@shop/production", "shop", "staging", false},
      {"deploy@shop/review/*", "shop", "review/a/b", true},
      {"deploy@shop/review/*", "shop", "review", false},
      {"deploy@shop/*", "shop", "", false},
      {"rollback", "shop", "", false},
      {"developer@shop", "shop", "production", true},
      {"viewer@shop", "shop", "production", false},
      {"gone", "shop", "", false},
  };
  for (const Case& each : cases) {
    Rights rights(Role::none);
    rights.add(parse_grant(each.grant), {});
    EXPECT_EQ(rights.may(Permission::deploy, each.project, each.environment), each.may)
        << each.grant << " for " << each.project << "/" << each.environment;
  }
}

TEST(Rights, OfATokenAreNoMoreThanItsRole) {
  const CustomRoles roles{{"releaser", {Permission::deploy, Permission::rollback}}};
  const std::set<Grant> grants{parse_grant("releaser@shop"), parse_grant("admin@depot")};
  const auto of = [&](Role user, std::optional<Role> token) { return rights_of(user, grants, roles, token); };
  for (const std::optional<Role> token : {std::optional<Role>(), std::optional(Role::developer)}) {
    EXPECT_TRUE(of(Role::developer, token).may(Permission::rollback, "shop")) << "as its user";
    EXPECT_EQ(of(Role::developer, token).roles_in("shop", ""), std::set<std::string>{"releaser"});
    EXPECT_EQ(of(Role::developer, token).role_in("depot", ""), Role::admin);
  }
  const Rights low = of(Role::developer, Role::viewer);
  EXPECT_FALSE(low.may(Permission::deploy));
  EXPECT_FALSE(low.may_somewhere(Permission::rollback));
  EXPECT_TRUE(low.may(Permission::monitor, "depot"));
  EXPECT_TRUE(low.roles_in("shop", "").empty()) << "what is left of a role is not that role";
  EXPECT_EQ(low.role_in("depot", ""), Role::viewer);
  EXPECT_EQ(low.role_in("shop", ""), Role::viewer);
  EXPECT_TRUE(of(Role::admin, Role::developer).may(Permission::deploy, "shop"));
  EXPECT_FALSE(of(Role::admin, Role::developer).may_somewhere(Permission::rollback));
  // Whose rights are all granted may have a token that only looks.
  EXPECT_FALSE(of(Role::none, Role::viewer).may_somewhere(Permission::deploy));
  EXPECT_TRUE(of(Role::none, Role::none).may(Permission::rollback, "shop"));
  EXPECT_TRUE(of(Role::viewer, Role::developer).may(Permission::rollback, "shop")) << "made in better times";
  EXPECT_FALSE(of(Role::viewer, Role::developer).may(Permission::deploy));
}

TEST(Permission, IsReadAsItIsShown) {
  for (const Permission one : kPermissions) EXPECT_EQ(parse_permission(to_string(one)), one);
  EXPECT_FALSE(parse_permission("Deploy"));
}

class RoleTable : public EachStore {
 protected:
  std::int64_t new_user(const std::string& name) {
    std::int64_t id = 0;
    UserRecord user;
    user.name = name;
    write([&](Tx& tx) { id = Users(tx).insert(user); });
    return id;
  }
};

INSTANTIATE_TEST_SUITE_P(Kinds, RoleTable, testing::ValuesIn(store_kinds()), kind_name);

TEST_P(RoleTable, RolesComeBackAndAreChanged) {
  write([&](Tx& tx) {
    Roles roles(tx);
    EXPECT_TRUE(roles.all().empty());
    roles.put("releaser", {Permission::deploy, Permission::rollback});
    roles.put("releaser", {Permission::rollback});
    roles.put("watcher", {Permission::monitor});
    EXPECT_EQ(roles.all(),
              (CustomRoles{{"releaser", {Permission::rollback}}, {"watcher", {Permission::monitor}}}));
    EXPECT_EQ(roles.find("watcher"), PermissionSet{Permission::monitor});
    EXPECT_FALSE(roles.find("nobody"));
    EXPECT_TRUE(roles.remove("watcher"));
    EXPECT_FALSE(roles.remove("watcher"));
  });
}

TEST_P(RoleTable, NamesThatMeanSomethingElseAreRefused) {
  for (const char* name : {"admin", "none", "rollback", "maintainer", "a@b", "", "a b"})
    EXPECT_TRUE(role_name_problem(name)) << name;
  EXPECT_FALSE(role_name_problem("release-manager"));
  write([&](Tx& tx) {
    EXPECT_TRUE(fails_with(ErrorCode::invalid_input, "always there",
                           [&] { Roles(tx).put("admin", {Permission::deploy}); }));
    EXPECT_TRUE(fails_with(ErrorCode::invalid_input, "without permissions", [&] { Roles(tx).put("x", {}); }));
  });
}

TEST_P(RoleTable, GrantsAreOfTheirUser) {
  const std::int64_t ada = new_user("ada"), ben = new_user("ben");
  const std::set<Grant> grants{parse_grant("releaser@shop/production"), parse_grant("deploy@shop")};
  write([&](Tx& tx) {
    EXPECT_TRUE(fails_with(ErrorCode::invalid_input, "no role and no permission 'releaser'",
                           [&] { Grants(tx).put(ada, grants); }));
    Roles(tx).put("releaser", {Permission::rollback});
    Grants(tx).put(ada, grants);
    EXPECT_TRUE(fails_with(ErrorCode::not_found, "no user 99", [&] { Grants(tx).put(99, grants); }));
  });
  read([&](Tx& tx) {
    EXPECT_EQ(Grants(tx).of(ada), grants);
    EXPECT_TRUE(Grants(tx).of(ben).empty());
    EXPECT_EQ(Grants(tx).all().size(), 1U);
    const Rights rights = rights_now(tx, *Users(tx).find(ada));
    EXPECT_TRUE(rights.may(Permission::rollback, "shop", "production"));
    EXPECT_FALSE(rights.may(Permission::rollback, "shop", "staging"));
  });
  write([&](Tx& tx) {
    EXPECT_TRUE(fails_with(ErrorCode::conflict, "user 'ada' has the role 'releaser'",
                           [&] { Roles(tx).remove("releaser"); }));
    Grants(tx).put(ada, {});
    EXPECT_TRUE(Roles(tx).remove("releaser"));
  });
}

}  // namespace
}  // namespace runner::storage
