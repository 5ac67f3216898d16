#pragma once
// Percent-encoding of parts of a URL: RFC 3986, section 2. Pure; any thread.

#include <string>
#include <string_view>

namespace runner {

/// All but the unreserved characters, so that it fits into a path or a query.
std::string percent_encode(std::string_view text);

}  // namespace runner
