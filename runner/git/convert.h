#pragma once
// Content of a blob as it is written to a work tree. Pure; any thread. Internal to this folder.

#include <string>
#include <string_view>

#include "runner/git/attributes.h"

namespace runner::git {

/// `blob_id` in hex, for $Id$. False: the content is to be written as it is, and `out` means nothing.
/// `problem` is set when the encoding cannot be had; the content stays UTF-8 then, as git leaves it.
bool convert_to_work_tree(std::string_view content, const FileAttributes& attributes,
                          std::string_view blob_id, std::string& out, std::string& problem);

/// The content stands for a file that a large file storage keeps.
bool is_lfs_pointer(std::string_view content);

}  // namespace runner::git
