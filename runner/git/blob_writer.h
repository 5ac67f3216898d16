#pragma once
// Writes the blobs of a commit into the directory of a layer, as git's checkout would: line ends, $Id$ and
// encodings by .gitattributes. Internal to this folder.

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "runner/git/attributes.h"
#include "runner/git/draft_tree.h"
#include "runner/git/lfs.h"
#include "runner/git/tree_diff.h"

namespace runner::git {

struct BlobJob {
  const TreeChange* change = nullptr;  // after is a file or link
  DraftTree::Written written;
  bool pointer = false;  // still one
  std::string problem;   // a sentence's end: "'x' cannot be ..."
};

struct BlobSource {
  std::filesystem::path repository;
  git_repository* handle = nullptr;  // of the calling thread
  const Attributes& attributes;
  const LfsAccess* lfs = nullptr;  // null: pointers stay
};

/// The directories are there. On a few threads when there is much. Throws Error.
void write_blobs(const BlobSource& source, const DraftTree& tree, std::vector<BlobJob>& jobs);

/// Content of a blob. Throws Error{corrupt} when it is not there.
std::string read_blob(git_repository* repository, const ObjectId& id, const std::string& path);

}  // namespace runner::git
