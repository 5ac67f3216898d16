#pragma once
// What a layer store needs from time to time, on a thread of its own: what killed processes left is removed,
// new layers are hashed and synced, long stacks squashed, and the budget kept. Whatever takes long has a
// low priority for processor and disk. Nobody waits for it: it stops within milliseconds, and whatever is
// left is done next time.

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <optional>

#include "cache/layer_store.h"

namespace runner::cache {

struct HousekeepingOptions {
  std::uint64_t budget = 0;  // bytes on disk, 0 = default_budget()
  std::optional<std::chrono::milliseconds> unused_for;
};

/// A budget that is never reached.
constexpr std::uint64_t kNoBudget = std::numeric_limits<std::uint64_t>::max();

/// The lesser of 20 GiB and a tenth of the file system `path` lies on (it need not exist yet);
/// RUNNER_CACHE_SIZE ("50GB", "500 MiB") in the environment goes before it, "0" there is kNoBudget. Throws
/// Error{invalid_input} when that is no size.
std::uint64_t default_budget(const std::filesystem::path& path);

class Housekeeper {
 public:
  /// The thread starts with the first wake(). `store` must outlive it.
  Housekeeper(LayerStore& store, HousekeepingOptions options);
  ~Housekeeper();
  Housekeeper(const Housekeeper&) = delete;
  Housekeeper& operator=(const Housekeeper&) = delete;
  /// Something was committed, or a process has started. Any thread; never blocks.
  void wake();
  /// Ends the thread. Idempotent; the destructor calls it.
  void stop() noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace runner::cache
