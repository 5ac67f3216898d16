#include "tests/storage/store_kinds.h"

#include "runner/storage/project_table.h"

namespace runner::storage {
namespace {

const SystemClock kClock;

}  // namespace

std::vector<std::string> store_kinds() {
  return {"memory", "file"};
}

std::string kind_name(const testing::TestParamInfo<std::string>& info) {
  return info.param;
}

std::unique_ptr<Store> open_store(const std::string& kind, const std::filesystem::path& dir) {
  return kind == "memory" ? make_memory_store(kClock) : open_file_store(dir / "runner.db", kClock);
}

testing::AssertionResult fails_with(ErrorCode code, std::string_view part, const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& e) {
    if (e.code() != code) {
      return testing::AssertionFailure()
             << to_string(e.code()) << " instead of " << to_string(code) << ": " << e.what();
    }
    if (std::string_view(e.what()).find(part) != std::string_view::npos) return testing::AssertionSuccess();
    return testing::AssertionFailure() << "no '" << part << "' in: " << e.what();
  }
  return testing::AssertionFailure() << "nothing was thrown";
}

TimePoint at(std::int64_t milliseconds) {
  return TimePoint(std::chrono::milliseconds(milliseconds));
}

Sealer sealer_of(char key) {
  return Sealer(Secret::copy_of(std::string(kDataKeySize, key)));
}

EachStore::EachStore() : store_(open_store(GetParam(), dir_.path())) {}

Store& EachStore::other() {
  if (GetParam() == "memory") return *store_;
  if (!other_) other_ = open_store(GetParam(), dir_.path());
  return *other_;
}

std::int64_t EachStore::new_project(const std::string& name) {
  std::int64_t id = 0;
  write([&](Tx& tx) {
    ProjectRecord record;
    record.name = name;
    record.url = "https://git.example/" + name;
    id = Projects(tx).insert(record);
  });
  return id;
}

std::int64_t EachStore::count(const std::string& table) {
  std::int64_t rows = 0;
  read([&](Tx& tx) {
    rows = std::get<std::int64_t>(tx.sql().query("SELECT COUNT(*) FROM " + table, {})[0][0]);
  });
  return rows;
}

}  // namespace runner::storage
