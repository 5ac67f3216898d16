#include "runner/storage/ref_table.h"

#include "tests/storage/store_kinds.h"

namespace runner::storage {
namespace {

class RefTable : public EachStore {};

INSTANTIATE_TEST_SUITE_P(Kinds, RefTable, testing::ValuesIn(store_kinds()), kind_name);

TEST_P(RefTable, NewHeadTakesThePlaceOfTheOldOne) {
  const std::int64_t shop = new_project("shop"), depot = new_project("depot");
  write([&](Tx& tx) {
    RefHeads heads(tx);
    EXPECT_FALSE(heads.find(shop, "refs/heads/main"));
    heads.upsert({shop, "refs/heads/main", "aaa", at(1)});
    heads.upsert({depot, "refs/heads/main", "ccc", at(1)});
    heads.upsert({shop, "refs/heads/main", "bbb", at(2)});
    const RefHeadRecord found = heads.find(shop, "refs/heads/main").value();
    EXPECT_EQ(found.project, shop);
    EXPECT_EQ(found.ref, "refs/heads/main");
    EXPECT_EQ(found.sha, "bbb");
    EXPECT_EQ(found.seen_at, at(2));
    EXPECT_EQ(heads.find(depot, "refs/heads/main")->sha, "ccc");
  });
}

TEST_P(RefTable, HeadsOfAProjectComeByName) {
  const std::int64_t shop = new_project("shop"), depot = new_project("depot");
  const std::string hostile = "refs/heads/it's\"; DROP TABLE ref_heads; --";
  write([&](Tx& tx) {
    RefHeads heads(tx);
    for (const std::string& ref : {std::string("refs/tags/v1"), hostile, std::string("refs/heads/a")}) {
      heads.upsert({shop, ref, "abc", {}});
    }
    heads.upsert({depot, "refs/heads/b", "abc", {}});
    std::vector<std::string> names;
    for (const auto& head : heads.of_project(shop)) names.push_back(head.ref);
    EXPECT_EQ(names, (std::vector<std::string>{"refs/heads/a", hostile, "refs/tags/v1"}));
    heads.remove(shop, hostile);
    heads.remove(shop, hostile);
    EXPECT_EQ(heads.of_project(shop).size(), 2U);
    EXPECT_EQ(heads.of_project(depot).size(), 1U);
  });
}

TEST_P(RefTable, HeadOfAnUnknownProjectIsRefused) {
  EXPECT_TRUE(fails_with(ErrorCode::not_found, "there is no project 5", [&] {
    write([](Tx& tx) { RefHeads(tx).upsert({5, "refs/heads/a", "abc", {}}); });
  }));
}

}  // namespace
}  // namespace runner::storage
