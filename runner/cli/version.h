#pragma once
// What this program is.

#include <string>

namespace runner::cli {

/// "0.1.0".
std::string program_version();
/// That it was built of; "" when unknown.
std::string program_commit();

}  // namespace runner::cli
