#include "runner/storage/group_table.h"

#include "runner/storage/access_table.h"
#include "tests/storage/store_kinds.h"

namespace runner::storage {
namespace {

using Names = std::set<std::string>;

class GroupTable : public EachStore {
 protected:
  std::int64_t user(const std::string& name) {
    std::int64_t id = 0;
    write([&](Tx& tx) {
      UserRecord record;
      record.name = name;
      id = Users(tx).insert(record);
    });
    return id;
  }
  void put(std::int64_t user, const Names& groups) {
    write([&](Tx& tx) { Groups(tx).put(user, groups); });
  }
};

INSTANTIATE_TEST_SUITE_P(Kinds, GroupTable, testing::ValuesIn(store_kinds()), kind_name);

TEST_P(GroupTable, IsItsMembers) {
  const std::int64_t ada = user("ada"), ben = user("ben");
  put(ada, {"ops", "web"});
  put(ben, {"ops"});
  put(ada, {"web"});
  read([&](Tx& tx) {
    Groups groups(tx);
    EXPECT_EQ(groups.of(ada), Names{"web"});
    EXPECT_EQ(groups.of(99), Names{});
    EXPECT_EQ(groups.all(), (std::map<std::int64_t, Names>{{ada, {"web"}}, {ben, {"ops"}}}));
    EXPECT_TRUE(groups.has_members("ops"));
    EXPECT_FALSE(groups.has_members("op"));
  });
  put(ben, {});
  read([&](Tx& tx) { EXPECT_FALSE(Groups(tx).has_members("ops")); });
}

TEST_P(GroupTable, RefusesWhatCannotBe) {
  const std::int64_t ada = user("ada");
  put(ada, {"ops"});
  EXPECT_TRUE(fails_with(ErrorCode::not_found, "no user 99", [&] { put(99, {"ops"}); }));
  EXPECT_TRUE(fails_with(ErrorCode::invalid_input, "the name of a group", [&] { put(ada, {"Ops"}); }));
  Names many;
  for (std::size_t i = 0; i <= kMostGroups; ++i) many.insert("g" + std::to_string(i));
  EXPECT_TRUE(fails_with(ErrorCode::invalid_input, "50 groups at most", [&] { put(ada, many); }));
  read([&](Tx& tx) { EXPECT_EQ(Groups(tx).of(ada), Names{"ops"}); });
}

}  // namespace
}  // namespace runner::storage
