#pragma once
// What a context is known by: the same files, the same key, whatever the times and the machine.

#include <cstdint>
#include <stop_token>
#include <string>

#include "builds/ignore_rules.h"

namespace runner::builds {

struct ContextKey {
  std::string digest;  // 64 hexadecimal digits
  std::uint64_t files = 0, bytes = 0;
};

/// Of paths, kinds, permissions, targets of links and contents. Reads everything; memory is bounded. One
/// thread. Throws like walk_context().
ContextKey read_context_key(int context, const IgnoreRules& rules, const std::stop_token& stop = {});

}  // namespace runner::builds
