#pragma once
// The repositories are tested through the seam only, on each kind of store that there is.

#include <gmock/gmock.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/storage/sealer.h"
#include "runner/storage/store.h"

namespace runner::storage {

/// Names of the kinds; another database is one more here and in open_store().
std::vector<std::string> store_kinds();
std::string kind_name(const testing::TestParamInfo<std::string>& info);
/// A store of this kind; the same `dir` gives the same database again, but for the one in memory.
std::unique_ptr<Store> open_store(const std::string& kind, const std::filesystem::path& dir);

/// Whether it throws an Error with this code and this part in its text.
testing::AssertionResult fails_with(ErrorCode code, std::string_view part, const std::function<void()>& act);

TimePoint at(std::int64_t milliseconds);
/// A sealer with a key made of this character.
Sealer sealer_of(char key);

class EachStore : public testing::TestWithParam<std::string> {
 protected:
  EachStore();
  void write(const std::function<void(Tx&)>& body) { store_->write(body); }
  void read(const std::function<void(Tx&)>& body) { store_->read(body); }
  /// Another store on the same database, as another process has it; the one in memory has none and is itself.
  Store& other();
  std::int64_t new_project(const std::string& name = "shop");
  std::int64_t count(const std::string& table);

  TempDir dir_;
  std::unique_ptr<Store> store_, other_;
  Sealer sealer_ = sealer_of('k');
};

}  // namespace runner::storage
