#pragma once
// Starting libgit2 without what only connections need. Internal to this folder.

namespace runner::git {

/// While it lives, libgit2 started on this thread loads no certificates.
class QuickStart {
 public:
  QuickStart() noexcept;
  ~QuickStart();
  QuickStart(const QuickStart&) = delete;
  QuickStart& operator=(const QuickStart&) = delete;
};

}  // namespace runner::git
