#include "runner/base/overlay_marks.h"

#include <sys/sysmacros.h>
#include <sys/xattr.h>

namespace runner {

bool is_whiteout(const struct stat& info) noexcept {
  return S_ISCHR(info.st_mode) && info.st_rdev == makedev(0, 0);
}

bool is_opaque(int directory) noexcept {
  char value = 0;
  return ::fgetxattr(directory, kOpaqueAttribute, &value, 1) == 1 && value == 'y';
}

}  // namespace runner
