#pragma once
// For processes that know they will read a repository.

namespace runner::git {

/// Initialises libgit2 with the libraries it brings (a few milliseconds, once), so that who comes next need
/// not wait for it. It stays initialised. Any thread. Never throws.
void warm_up() noexcept;

}  // namespace runner::git
