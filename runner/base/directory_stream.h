#pragma once
// An opened directory with an owner, for readdir(). One thread at a time.

#include <dirent.h>

#include <memory>

namespace runner {

struct CloseDirectory {
  void operator()(DIR* directory) const noexcept { ::closedir(directory); }
};

using DirectoryStream = std::unique_ptr<DIR, CloseDirectory>;

}  // namespace runner
