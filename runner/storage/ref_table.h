#pragma once
// What the refs of a project's repository pointed to when they were last looked at.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "runner/base/clock.h"
#include "runner/storage/store.h"

namespace runner::storage {

struct RefHeadRecord {
  std::int64_t project = 0;
  std::string ref;  // whole: "refs/heads/main"
  std::string sha;
  TimePoint seen_at{};
};

class RefHeads {
 public:
  explicit RefHeads(Tx& tx) noexcept : tx_(tx) {}
  std::optional<RefHeadRecord> find(std::int64_t project, const std::string& ref);
  /// In place of what is known of this ref. Throws Error{not_found} without the project.
  void upsert(const RefHeadRecord& record);
  /// Fine when it is gone already.
  void remove(std::int64_t project, const std::string& ref);
  /// By name; all of them, as one look at a remote gives all of them.
  std::vector<RefHeadRecord> of_project(std::int64_t project);

 private:
  Tx& tx_;
};

}  // namespace runner::storage
