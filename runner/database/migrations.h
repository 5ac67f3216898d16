#pragma once
// A schema's history, applied in order in one transaction: all of what is missing or nothing. The files
// travel inside the program: see runner_migrations in cmake/Migrations.cmake.

#include <cstdint>
#include <string_view>
#include <vector>

#include "runner/base/clock.h"
#include "runner/database/sql.h"

namespace runner::database {

struct Migration {
  std::int64_t number = 0;
  std::string_view name;      // file name without ".sql"
  std::string_view checksum;  // SHA-256 of the text
  std::string_view sql;
};

/// Applies what the database lacks. Throws Error{corrupt} when a recorded migration is not the one given
/// (a released file was edited) or is unknown (the database is newer than the program).
void migrate(Database& database, const std::vector<Migration>& migrations, TimePoint now);

}  // namespace runner::database
