#pragma once
// Pages of a list of tags. Source: OCI distribution spec 1.1, "Listing tags"; RFC 8288 for Link. Internal to
// this folder. Pure.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "registry/url.h"

namespace runner::registry {

/// {"tags": [...]}, or null in its place. Throws Error{corrupt}, and Error{invalid_input} for what is no tag.
std::vector<std::string> parse_tags(std::string_view json);
/// Where the next page is by the field Link of the one at `from`; nullopt: that was the last. Throws
/// Error{unavailable} for what is no address.
std::optional<Url> next_page(const Url& from, std::string_view link);

}  // namespace runner::registry
