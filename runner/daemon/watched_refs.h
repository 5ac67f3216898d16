#pragma once
// Which refs of a remote are news to a project. Pure.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "runner/git/remote.h"
#include "runner/storage/project_table.h"

namespace runner::daemon {

struct ChangedRef {
  std::string ref, before, id;  // before: "" = new; id: the commit, of a tag what it stands for
};

/// The number of the merge request whose head this ref is, as the project's forge calls them (both ways when
/// it is of none); nullopt: of none.
std::optional<std::int64_t> merge_request_of(const storage::ProjectRecord& project, const std::string& ref);

/// The refs of `remote` that the project watches and that are not what `known` (by full name) says, by name.
/// Heads of merge requests are among them when the project says so. In patterns `*` is any text, '/'
/// included.
std::vector<ChangedRef> changed_refs(const storage::ProjectRecord& project, const git::RemoteRefs& remote,
                                     const std::map<std::string, std::string>& known);

}  // namespace runner::daemon
