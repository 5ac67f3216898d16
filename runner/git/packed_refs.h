#pragma once
// The refs of a mirror lie in one file, so that all change in one moment. Source: git-pack-refs(1), and the
// comment at the top of refs/packed-backend.c of git for the header. Internal to this folder.

#include <cstddef>
#include <filesystem>
#include <functional>
#include <map>
#include <string>

struct git_repository;

namespace runner::git {

using RefTargets = std::map<std::string, std::string>;  // name -> 40 hex digits

/// Those that `is_ours` become `targets`; the others stay. How many differ. `durable`: on disk when it
/// returns. The caller holds the lock of the mirror. Throws Error{corrupt} when an object is not there;
/// nothing has changed then.
std::size_t replace_refs(git_repository* mirror, const std::filesystem::path& directory,
                         const RefTargets& targets,
                         const std::function<bool(const std::string& name)>& is_ours, bool durable);

}  // namespace runner::git
