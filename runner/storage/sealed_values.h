#pragma once
// All sealed values of a database, whatever table they lie in: which keys they need, and another key for
// them.

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "runner/storage/sealer.h"
#include "runner/storage/store.h"

namespace runner::storage {

/// Whether there is any: then a data key that is gone is not made anew.
bool has_sealed_values(Tx& tx);

/// How many values need which data key, by its id. Reads all of them.
std::map<std::string, std::int64_t> count_sealed_values(Tx& tx);

struct RenewTally {
  std::size_t looked_at = 0, renewed = 0;
  /// One sentence each: values that do not open. They stay as they are.
  std::vector<std::string> failures;
};

/// Gives values the newest data key, a few in a transaction, so that others work in between; a value that is
/// changed meanwhile is left to who changed it. Any thread; one object is one thread's.
class SealedValues {
 public:
  SealedValues(Store& store, const Sealer& sealer) noexcept : store_(store), sealer_(sealer) {}
  /// The next few. False when there are no more. Throws Error of the store; then it can be called again.
  bool renew_some();
  const RenewTally& tally() const noexcept { return tally_; }

 private:
  Store& store_;
  const Sealer& sealer_;
  std::size_t column_ = 0;
  std::int64_t after_ = 0;  // its last row
  RenewTally tally_;
};

}  // namespace runner::storage
