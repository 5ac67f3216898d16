#pragma once
// The files of a release on their way to a host. Internal to this folder; one thread.

#include <cstdint>
#include <string>
#include <vector>

#include "deployments/target.h"
#include "runner/base/fd.h"

namespace runner::deployments {

class ReleaseUpload {
 public:
  /// Opens its files. Throws Error: not_found, invalid_input for a path that climbs out, or an artifact that
  /// must not be unpacked.
  explicit ReleaseUpload(const Release& release);

  /// Assignments and the function receive_all of the script.
  std::string request() const;
  /// The next bytes of the files, one after the other; false at the end. Throws Error{corrupt} when a file is
  /// shorter than it was.
  bool next(std::string& piece);

 private:
  struct Source {
    std::string name;  // here, for messages
    UniqueFd fd;
    std::uint64_t bytes = 0;
  };
  void add(const ReleaseFile& file, const std::string& place);

  std::string assignments_, receives_;
  std::vector<Source> sources_;
  std::size_t at_ = 0;
  std::uint64_t sent_ = 0;  // of the source at `at_`
};

/// Throws Error{invalid_input} unless it is [0-9a-f]{12,64}.
void check_release_id(const std::string& id);

}  // namespace runner::deployments
