#pragma once
// The data keys of a server, in a directory of their own:
//
//   data.key             seals
//   data-ID.key          sealed before; values may still need it
//   data-ID.unused.key   no value needed it when it was last looked; a backup of the database may
//
// A key is changed so that after a crash at any point all that was ever used is there: the one before gets
// its second name first. All of this blocks on the disk; one process and one thread at a time. data_key.h
// says what makes a file one of them.

#include <filesystem>
#include <string>
#include <vector>

#include "runner/base/clock.h"
#include "runner/storage/secret.h"

namespace runner::storage {

struct DataKeyFile {
  std::string id;  // data_key_id() of sealer.h
  std::filesystem::path path;
  TimePoint made_at{};
  bool seals = false, unused = false;
};

class DataKeyFiles {
 public:
  /// The directory is there. Reads nothing yet.
  explicit DataKeyFiles(std::filesystem::path directory) : directory_(std::move(directory)) {}

  std::filesystem::path sealing() const { return directory_ / "data.key"; }
  /// The sealing one first, then by time. Throws Error as read_data_key(), and Error{invalid_input} for a
  /// file that does not hold the key that its name says.
  std::vector<DataKeyFile> list() const;
  /// Makes a new key the sealing one. Throws Error; then the one before is that, or what the file says is the
  /// new one: list() tells.
  Secret change() const;
  /// What list() gave. Throws Error.
  void set_unused(const DataKeyFile& file) const;
  void remove(const DataKeyFile& file) const;

 private:
  std::filesystem::path named(const std::string& id, bool unused) const;

  std::filesystem::path directory_;
};

}  // namespace runner::storage
