#pragma once
// The tables of a run that has its store in memory and nobody else's.

#include <string_view>

namespace runner::storage {

/// One script: what the engine writes to for a run that is not durable, in the form that all migrations
/// together give it. A local run would otherwise make, alter and index the tables of a whole server each time
/// it starts, which takes longer than its jobs may.
std::string_view local_schema() noexcept;

}  // namespace runner::storage
