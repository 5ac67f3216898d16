#pragma once
// How it went when a forge was told of the commits of a project. One row for each project; not a log.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "runner/base/clock.h"
#include "runner/storage/store.h"

namespace runner::storage {

struct StatusReport {
  std::optional<TimePoint> delivered_at;  // the last time that one was taken
  std::optional<TimePoint> failed_at;     // the last time that one was not
  std::string failure;                    // why, for people; "" when all went well since
};

class StatusReports {
 public:
  explicit StatusReports(Tx& tx) noexcept : tx_(tx) {}
  /// All empty when there was none.
  StatusReport of_project(std::int64_t project);
  /// Takes the failure back. Fine when the project is gone.
  void delivered(std::int64_t project, TimePoint at);
  /// `failure` is cut as storable_text() says. Fine when the project is gone.
  void failed(std::int64_t project, TimePoint at, std::string_view failure);

 private:
  Tx& tx_;
};

}  // namespace runner::storage
