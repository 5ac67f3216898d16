#pragma once
// Names in the archive of a layer. OCI image layers keep names that begin with ".wh." to themselves, so a
// file whose own name begins so gets another, from the part of that space which other readers skip. Pure.
// Internal to this folder.

#include <string>
#include <string_view>

namespace runner::cache {

inline constexpr std::string_view kWhiteoutPrefix = ".wh.";
inline constexpr std::string_view kOpaqueName = ".wh..wh..opq";
inline constexpr std::string_view kLiteralPrefix = ".wh..wh.lit.";

/// `name` is one part of a path. Different names stay different.
inline std::string archived_name(std::string_view name) {
  if (!name.starts_with(kWhiteoutPrefix)) return std::string(name);
  return std::string(kLiteralPrefix).append(name.substr(kWhiteoutPrefix.size()));
}

/// The reverse of archived_name().
inline std::string literal_name(std::string_view archived) {
  if (!archived.starts_with(kLiteralPrefix)) return std::string(archived);
  return std::string(kWhiteoutPrefix).append(archived.substr(kLiteralPrefix.size()));
}

}  // namespace runner::cache
