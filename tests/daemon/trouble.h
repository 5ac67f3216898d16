#pragma once
// Trouble for a server: a small disk that is filled, a database that somebody holds, a clock that is set, a
// disk that cannot be written any more.

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "runner/base/fd.h"

namespace runner::test {

/// A tmpfs on `directory`, for this process and those it starts. Gone with the process.
class SmallDisk {
 public:
  /// Why there can be none here; "" = there can. The first call gives the process mounts of its own.
  static std::string missing();
  SmallDisk(const std::filesystem::path& directory, std::size_t megabytes);
  ~SmallDisk();
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  /// To the last byte.
  void fill() const;
  void make_room() const;
  void mount_again(bool read_only) const;

 private:
  const std::filesystem::path directory_;
};

/// A program that holds the right to write a database, as long as this lives.
class DatabaseHolder {
 public:
  explicit DatabaseHolder(const std::filesystem::path& database);
  ~DatabaseHolder();
  DatabaseHolder(const DatabaseHolder&) = delete;
  DatabaseHolder& operator=(const DatabaseHolder&) = delete;

 private:
  pid_t pid_ = -1;
  UniqueFd input_;
};

/// programs/other_world.cpp for a program that is started with `environment`.
class OtherWorld {
 public:
  /// The file is made in `place`; what becomes read-only is `directory`.
  OtherWorld(const std::filesystem::path& place, const std::filesystem::path& directory);
  ~OtherWorld();
  OtherWorld(const OtherWorld&) = delete;
  OtherWorld& operator=(const OtherWorld&) = delete;
  std::vector<std::string> environment() const;
  void set_clock(std::int64_t seconds_from_now);
  void set_read_only(bool read_only);

 private:
  const std::filesystem::path file_, directory_;
  volatile std::int64_t* page_ = nullptr;
};

}  // namespace runner::test
