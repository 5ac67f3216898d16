#pragma once
// Plain scalars to values by the YAML 1.1 rules of the dialect: `yes` is a boolean, 010 is eight, 1.10
// is 1.1, 12:30 is a sexagesimal integer; dates stay strings. Pure; any thread.

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace runner::pipelines {

struct NullScalar {};

/// A scalar's value; a string_view is the text itself, a string an integer too large for 64 bits.
using ScalarValue = std::variant<NullScalar, bool, std::int64_t, double, std::string, std::string_view>;

/// What an unquoted, untagged scalar means.
ScalarValue resolve_plain_scalar(std::string_view text);

}  // namespace runner::pipelines
