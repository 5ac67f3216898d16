#include "runner/storage/data_key_files.h"

#include <set>

#include "runner/base/failpoint.h"
#include "runner/storage/data_key.h"
#include "tests/storage/store_kinds.h"

namespace runner::storage {
namespace {

namespace fs = std::filesystem;

struct DataKeyFilesTest : testing::Test {
  DataKeyFilesTest() { first = data_key_id(make_data_key(files.sealing())); }
  ~DataKeyFilesTest() override { set_failpoint_handler({}); }

  /// All that is sealed with any key of before or now opens.
  Sealer sealer() const {
    std::vector<Secret> older;
    for (const DataKeyFile& file : files.list())
      if (!file.seals) older.push_back(read_data_key(file.path));
    return Sealer(read_data_key(files.sealing()), std::move(older));
  }
  std::set<std::string> names() const {
    std::set<std::string> found;
    for (const auto& entry : fs::directory_iterator(dir.path())) found.insert(entry.path().filename());
    return found;
  }

  TempDir dir;
  DataKeyFiles files{dir.path()};
  std::string first;
};

TEST_F(DataKeyFilesTest, NewKeySealsAndTheOneBeforeStays) {
  const std::string second = data_key_id(files.change());
  EXPECT_NE(second, first);
  const auto list = files.list();
  ASSERT_EQ(list.size(), 2U);
  EXPECT_TRUE(list[0].seals);
  EXPECT_EQ(list[0].id, second);
  EXPECT_EQ(list[1].id, first);
  EXPECT_FALSE(list[1].unused);
  EXPECT_EQ(names(), (std::set<std::string>{"data.key", "data-" + first + ".key"}));
}

TEST_F(DataKeyFilesTest, OneThatNothingNeedsSaysSoAndIsRemoved) {
  files.change();
  files.set_unused(files.list()[1]);
  EXPECT_EQ(names(), (std::set<std::string>{"data.key", "data-" + first + ".unused.key"}));
  EXPECT_TRUE(files.list()[1].unused);
  EXPECT_EQ(sealer().older_ids(), std::vector<std::string>{first}) << "a backup may need it";
  files.remove(files.list()[1]);
  EXPECT_EQ(names(), std::set<std::string>{"data.key"});
}

TEST_F(DataKeyFilesTest, AfterACrashAnywhereAllOpensAndItCanBeDoneAgain) {
  constexpr SealPlace kPlace{"credentials", "secret", 1};
  for (const char* point :
       {"data_key.synced", "data_key.named", "data_key.next", "data_key.kept", "data_key.changed"}) {
    SCOPED_TRACE(point);
    const Sealed before = sealer().seal("s3cret", kPlace);
    bool reached = false;
    set_failpoint_handler([&](std::string_view name) {
      if (name == point) reached = true, throw Error(ErrorCode::internal, "died");
    });
    EXPECT_THROW(files.change(), Error);
    EXPECT_TRUE(reached);
    set_failpoint_handler({});
    EXPECT_EQ(sealer().open(before, kPlace).text(), "s3cret");
    files.change();
    EXPECT_EQ(sealer().open(before, kPlace).text(), "s3cret");
    EXPECT_NE(data_key_of(sealer().seal("s3cret", kPlace)), data_key_of(before));
    EXPECT_EQ(names().count("data.key.next"), 0U);
  }
}

TEST_F(DataKeyFilesTest, AFileWithAnotherKeyThanItsNameSaysIsNamed) {
  write_file_atomic(dir.path() / "data-0123456789abcdef.key", std::string(kDataKeySize, 'x'), 0600, false);
  EXPECT_TRUE(fails_with(ErrorCode::invalid_input,
                         "data-0123456789abcdef.key' holds another key than its name says",
                         [&] { files.list(); }));
}

TEST_F(DataKeyFilesTest, OneThatOthersMayReadIsRefused) {
  files.change();
  fs::permissions(files.list()[1].path, fs::perms::group_read, fs::perm_options::add);
  EXPECT_TRUE(fails_with(ErrorCode::invalid_input, "chmod 600", [&] { files.list(); }));
}

}  // namespace
}  // namespace runner::storage
