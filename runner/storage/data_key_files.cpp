#include "runner/storage/data_key_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "runner/base/error.h"
#include "runner/base/failpoint.h"
#include "runner/base/fd.h"
#include "runner/base/text.h"
#include "runner/storage/data_key.h"
#include "runner/storage/sealer.h"

namespace runner::storage {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kPrefix = "data-", kSuffix = ".key", kUnusedSuffix = ".unused.key";

void sync(const fs::path& directory) {
  const UniqueFd opened(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!opened || ::fsync(opened.get()) != 0) throw_errno("cannot sync " + in_quotes(directory.native()));
}

TimePoint made_at(const fs::path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) throw_errno("cannot look at " + in_quotes(path.native()));
  return TimePoint(std::chrono::seconds(info.st_mtim.tv_sec));
}

DataKeyFile read_file_of(const fs::path& path) {
  DataKeyFile file;
  file.id = data_key_id(read_data_key(path));
  file.path = path;
  file.made_at = made_at(path);
  return file;
}

}  // namespace

fs::path DataKeyFiles::named(const std::string& id, bool unused) const {
  return directory_ / (std::string(kPrefix) + id + std::string(unused ? kUnusedSuffix : kSuffix));
}

std::vector<DataKeyFile> DataKeyFiles::list() const {
  std::vector<DataKeyFile> files = {read_file_of(sealing())};
  files[0].seals = true;
  for (const auto& entry : fs::directory_iterator(directory_)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) continue;
    DataKeyFile file = read_file_of(entry.path());
    file.unused = name.ends_with(kUnusedSuffix);
    if (entry.path() != named(file.id, file.unused)) {
      throw Error(ErrorCode::invalid_input,
                  in_quotes(entry.path().native()) + " holds another key than its name says, which is '" +
                      file.id + "': put the right file there, from where it was kept, or move it away");
    }
    // A crash in change(), after which the one before goes on sealing.
    if (file.id != files[0].id) files.push_back(std::move(file));
  }
  std::sort(files.begin() + 1, files.end(), [](const DataKeyFile& a, const DataKeyFile& b) {
    return std::pair(a.made_at, a.id) < std::pair(b.made_at, b.id);
  });
  return files;
}

Secret DataKeyFiles::change() const {
  const fs::path next = directory_ / "data.key.next";
  // Of a crash; it has sealed nothing.
  if (::unlink(next.c_str()) != 0 && errno != ENOENT)
    throw_errno("cannot remove " + in_quotes(next.native()));
  Secret key = make_data_key(next);
  failpoint("data_key.next");
  const std::string id = data_key_id(read_data_key(sealing()));
  if (::link(sealing().c_str(), named(id, false).c_str()) != 0 && errno != EEXIST)
    throw_errno("cannot keep the data key " + in_quotes(sealing().native()));
  sync(directory_);
  failpoint("data_key.kept");
  if (::rename(next.c_str(), sealing().c_str()) != 0)
    throw_errno("cannot put a new data key in place of " + in_quotes(sealing().native()));
  failpoint("data_key.changed");
  sync(directory_);
  return key;
}

void DataKeyFiles::set_unused(const DataKeyFile& file) const {
  if (::rename(file.path.c_str(), named(file.id, true).c_str()) != 0)
    throw_errno("cannot rename the data key " + in_quotes(file.path.native()));
  sync(directory_);
}

void DataKeyFiles::remove(const DataKeyFile& file) const {
  if (::unlink(file.path.c_str()) != 0)
    throw_errno("cannot remove the data key " + in_quotes(file.path.native()));
  sync(directory_);
}

}  // namespace runner::storage
