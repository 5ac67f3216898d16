#pragma once
// SQLite behind the seam.

#include <cstdint>
#include <filesystem>
#include <memory>

#include "runner/database/sql.h"

namespace runner::database {

/// A private database in memory, gone with the object. One connection, shared under a lock: transactions of
/// different threads follow one another, readers included.
std::unique_ptr<Database> open_sqlite_memory();

/// full: a commit outlives a crash of the machine. normal: a commit outlives the process, costs no fsync, and
/// a crash of the machine may undo the last ones; the database stays whole (SQLite, "PRAGMA synchronous").
enum class Durability : std::uint8_t { full, normal };

/// A database file, made when missing: WAL, foreign keys, a busy timeout. One connection writes; readers have
/// their own and see the last commit. Any number of processes. Throws Error.
std::unique_ptr<Database> open_sqlite_file(const std::filesystem::path& path, Durability durability);

}  // namespace runner::database
