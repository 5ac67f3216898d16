#pragma once
// The history of the store's schema: migrations/*.sql of this folder, built into the program.

#include <vector>

#include "runner/database/migrations.h"

namespace runner::storage {

/// By number.
const std::vector<database::Migration>& embedded_migrations();

}  // namespace runner::storage
