#pragma once
// What the kernel's overlay file system writes into an upper directory to hide what lies below, when it is
// mounted with userxattr (Documentation/filesystems/overlayfs.rst): character devices 0/0, and an attribute
// of directories.

#include <sys/stat.h>

namespace runner {

/// Of directories; its value is "y".
constexpr const char* kOpaqueAttribute = "user.overlay.opaque";

/// Hides the entry of its name in the layers below.
bool is_whiteout(const struct stat& info) noexcept;

/// Whether an opened directory hides the content of those of its name in the layers below. False too when
/// that cannot be read: the file system has no attributes then.
bool is_opaque(int directory) noexcept;

}  // namespace runner
