#pragma once
// What is known of an attempt beside its row: one text of the engine's making, which only the engine reads.

#include <cstdint>
#include <map>
#include <string>

#include "runner/storage/store.h"

namespace runner::storage {

class JobResults {
 public:
  explicit JobResults(Tx& tx) noexcept : tx_(tx) {}
  /// In place of what was there.
  void put(std::int64_t job, const std::string& content);
  /// By attempt. Those without one are not in it.
  std::map<std::int64_t, std::string> of_pipeline(std::int64_t pipeline);

 private:
  Tx& tx_;
};

}  // namespace runner::storage
