#pragma once
// Where the bytes of an archive go. Used inside this folder only.

#include <cstdint>
#include <string_view>

#include "runner/base/digest.h"
#include "runner/base/files.h"

namespace runner::artifacts {

/// The file and the digest. One thread.
struct ArchiveOutput {
  int fd = -1;
  Sha256 digest;
  std::uint64_t bytes = 0;

  void write(std::string_view data) {
    write_all(fd, data);
    digest.update(data);
    bytes += data.size();
  }
};

}  // namespace runner::artifacts
