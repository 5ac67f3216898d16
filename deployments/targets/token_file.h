#pragma once
// A fence that lies in a directory of this machine, for targets that cannot keep one of their own. The same
// as the script for hosts does there (ssh_script.h): a lock, and the highest token that was seen.

#include <chrono>
#include <filesystem>
#include <stop_token>
#include <string>

#include "deployments/target.h"
#include "runner/base/fd.h"

namespace runner::deployments {

class TokenFile {
 public:
  /// Makes the directory (0700). Throws Error.
  explicit TokenFile(std::filesystem::path directory);

  /// The highest token so far; 0 = none. Throws Error{corrupt}.
  std::uint64_t seen() const;
  /// Waits for the lock up to `patience`, then presents the fence. The lock is kept while the descriptor, or
  /// one that a program has inherited, is open. `unit` and `what` are for messages. Throws StaleFence;
  /// Error: timeout with the holder, conflict (another environment), cancelled.
  UniqueFd hold(const std::string& unit, const Fence& fence, const std::string& what,
                std::chrono::milliseconds patience, const std::stop_token& stop) const;

 private:
  std::filesystem::path directory_;
};

}  // namespace runner::deployments
