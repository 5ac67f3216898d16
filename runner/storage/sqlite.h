#pragma once
// SQLite behind the seam.

#include <filesystem>
#include <memory>

#include "runner/storage/sql.h"

namespace runner::storage {

/// A private database in memory, gone with the object. One connection, shared under a lock: transactions of
/// different threads follow one another, readers included.
std::unique_ptr<Database> open_sqlite_memory();

/// A database file, made when missing: WAL, synchronous=FULL, foreign keys, a busy timeout. One connection
/// writes; readers have their own and see the last commit. Throws Error.
std::unique_ptr<Database> open_sqlite_file(const std::filesystem::path& path);

}  // namespace runner::storage
