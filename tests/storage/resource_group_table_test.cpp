#include "runner/storage/resource_group_table.h"

#include "runner/storage/project_table.h"
#include "tests/storage/store_kinds.h"

namespace runner::storage {
namespace {

class ResourceGroupTable : public EachStore {
 protected:
  std::string all() {
    std::string text;
    read([&](Tx& tx) {
      for (const auto& record : ResourceGroupModes(tx).all())
        text += std::to_string(record.project) + " " + record.name + "=" + record.mode + "\n";
    });
    return text;
  }
};

INSTANTIATE_TEST_SUITE_P(Kinds, ResourceGroupTable, testing::ValuesIn(store_kinds()), kind_name);

TEST_P(ResourceGroupTable, TheLastChoiceCountsUntilTheProjectGoes) {
  const std::int64_t shop = new_project("shop"), blog = new_project("blog");
  write([&](Tx& tx) {
    ResourceGroupModes modes(tx);
    modes.put({shop, "prod 'x'", "unordered"});
    modes.put({shop, "prod 'x'", "newest_first"});
    modes.put({shop, "a", "oldest_first"});
    modes.put({blog, "a", "unordered"});
    EXPECT_EQ(modes.of_project(shop).size(), 2U);
  });
  EXPECT_EQ(all(), "1 a=oldest_first\n1 prod 'x'=newest_first\n2 a=unordered\n");
  write([&](Tx& tx) { EXPECT_TRUE(Projects(tx).remove(shop)); });
  EXPECT_EQ(all(), "2 a=unordered\n");
}

TEST_P(ResourceGroupTable, BadOnesAreRefused) {
  const std::int64_t shop = new_project();
  EXPECT_TRUE(fails_with(ErrorCode::not_found, "project", [&] {
    write([&](Tx& tx) { ResourceGroupModes(tx).put({99, "a", "unordered"}); });
  }));
  EXPECT_TRUE(fails_with(ErrorCode::invalid_input, "resource group", [&] {
    write([&](Tx& tx) { ResourceGroupModes(tx).put({shop, std::string(300, 'x'), "unordered"}); });
  }));
  EXPECT_EQ(all(), "");
}

}  // namespace
}  // namespace runner::storage
