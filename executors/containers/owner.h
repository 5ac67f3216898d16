#pragma once
// Who makes containers: what marks them, and the program that follows them.

#include <filesystem>
#include <string>

namespace runner::executors {

/// What marks the containers of `directory` as its own: a random word in the file `.owner` in it, made with
/// its parents when missing. Names of directories would not do: another machine's, or another container's
/// that shares the engine, may be the same. Several processes at once: they agree. Throws Error.
std::string container_owner(const std::filesystem::path& directory);

/// The file of this program, also when another version has taken its place since. Throws Error.
std::string own_program();

}  // namespace runner::executors
