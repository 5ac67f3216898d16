#pragma once
// How many files this process may have open.

namespace runner {

/// Raises the soft limit to the hard one: one process does the work of many jobs, and each looks into many
/// layers at once. Those forked before keep theirs; programs that select() on low numbers are started by
/// those. Never fails.
void allow_many_open_files() noexcept;

}  // namespace runner
