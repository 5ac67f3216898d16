#pragma once
// The data key: a file of kDataKeySize random bytes that only its owner may read. Who has it and the database
// has every secret, so it lies apart and is in no backup. All of this blocks on the disk. Any thread, any
// number of processes.

#include <filesystem>

#include "runner/storage/secret.h"

namespace runner::storage {

/// Throws Error{not_found} when there is none, Error{invalid_input} when it is no regular file, of another
/// length, of another user (root excepted), or when others may read or write it.
Secret read_data_key(const std::filesystem::path& path);

/// Makes a new one; its directory is there. After a crash there is a whole key or none; "PATH.new-..." may be
/// left and was never used. Throws Error{conflict} when there is one already, and leaves that as it is.
Secret make_data_key(const std::filesystem::path& path);

/// The one that is there, else a new one. Only where nothing is sealed yet: what an older key sealed does not
/// open with a new one (has_sealed_values() of sealed_values.h). Processes that do this at once all get
/// the same.
Secret read_or_make_data_key(const std::filesystem::path& path);

}  // namespace runner::storage
