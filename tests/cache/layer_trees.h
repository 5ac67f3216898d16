#pragma once
// Trees of every kind of thing a layer may hold.

#include <filesystem>
#include <string>
#include <string_view>

namespace runner::cache::testing {

/// Whether user.* attributes can be set there.
bool has_attributes(const std::filesystem::path& directory);
void set_attribute(const std::filesystem::path& path, const std::string& name, std::string_view value);
/// Links not followed.
void set_time(const std::filesystem::path& path, std::int64_t seconds, std::int64_t nanoseconds);
void make_whiteout(const std::filesystem::path& path);

/// Fills `tree` (which exists) with files, links, holes, whiteouts, attributes and odd names; every time is
/// set.
void make_sample_layer(const std::filesystem::path& tree);

}  // namespace runner::cache::testing
