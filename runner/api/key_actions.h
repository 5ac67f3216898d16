#pragma once
// What the API has done with data keys (runner/storage/data_key_files.h) by who owns them: the daemon
// implements it. Any thread; blocks on the disk and the store.

#include <cstdint>
#include <string>
#include <vector>

#include "runner/base/clock.h"

namespace runner::api {

struct DataKeyReport {
  struct Key {
    std::string id;
    TimePoint made_at{};
    bool seals = false;
    std::int64_t values = 0;  // that need it
  };
  std::vector<Key> keys;              // the one that seals first
  bool renewing = false;              // values are being given the newest key
  std::size_t renewed = 0;            // of them since that began
  std::vector<std::string> failures;  // of the last time: values that do not open, a sentence each
};

class KeyActions {
 public:
  virtual ~KeyActions() = default;

  virtual DataKeyReport data_keys() = 0;
  /// Makes a new key, with which all is sealed from now on, and begins to give it to what is there. Returns
  /// its id. Throws Error when it cannot be written: then nothing is changed.
  virtual std::string change_data_key() = 0;
  /// Deletes one that no value needs. Throws Error{not_found} when there is none of this id, Error{conflict}
  /// when it seals, or is needed.
  virtual void remove_data_key(const std::string& id) = 0;
};

}  // namespace runner::api
