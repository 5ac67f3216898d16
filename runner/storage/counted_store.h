#pragma once
// The store of a server that tells how its database does, and which schema it has.

#include <cstdint>
#include <filesystem>
#include <memory>

#include "runner/database/counted.h"
#include "runner/storage/store.h"

namespace runner::storage {

/// As open_file_store(). `counts` outlives it.
std::unique_ptr<Store> open_counted_store(const std::filesystem::path& path, const Clock& clock,
                                          database::DatabaseCounts& counts);

/// The number of the newest migration that the database has; 0: none.
std::int64_t applied_schema(Tx& tx);
/// The one that this program's stores have.
std::int64_t known_schema();

}  // namespace runner::storage
