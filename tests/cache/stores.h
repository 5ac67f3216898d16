#pragma once
// Layer stores for tests.

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "cache/layer_store.h"
#include "runner/base/clock.h"

namespace runner::cache::testing {

/// Any thread may read it; one sets it.
class ManualClock final : public Clock {
 public:
  TimePoint now() const override { return now_; }
  SteadyPoint steady_now() const override { return SteadyPoint(now_.time_since_epoch()); }
  void advance(std::chrono::milliseconds time) { now_ += time; }

 private:
  TimePoint now_{std::chrono::milliseconds(1'700'000'000'000)};
};

/// Of the space of caches, in one project.
EntryName name_of(std::string key);

/// Files by path and content.
using Files = std::vector<std::pair<std::string, std::string>>;
HeldEntry commit_tree(LayerStore& store, const EntryName& name, const Files& files);

/// Names in a directory, sorted; none when it does not exist.
std::vector<std::string> names_below(const std::filesystem::path& directory);

void edit_index(const std::filesystem::path& root, const std::string& sql);
std::int64_t count_rows(const std::filesystem::path& root, const std::string& table);

/// What lies in the root that no row of the index accounts for, as paths; sorted.
std::vector<std::string> leaks_of(const std::filesystem::path& root);

}  // namespace runner::cache::testing
