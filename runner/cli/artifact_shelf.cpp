#include "runner/cli/artifact_shelf.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <system_error>
#include <utility>

#include "artifacts/artifacts.h"
#include "artifacts/retention.h"
#include "runner/base/error.h"
#include "runner/base/failpoint.h"
#include "runner/base/fd.h"
#include "runner/base/files.h"
#include "runner/base/text.h"

namespace runner::cli {
namespace {

namespace fs = std::filesystem;
using storage::ArtifactRecord;
using storage::Artifacts;
using storage::Tx;

constexpr std::string_view kPart = ".part-";

/// One process at a time puts archives in or takes them out. Free when the process is gone.
class ShelfLock {
 public:
  explicit ShelfLock(const fs::path& root) {
    make_directories(root, 0700);
    const fs::path path = root / ".lock";
    file_.reset(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    int result = file_ ? 0 : -1;
    while (file_ && (result = ::flock(file_.get(), LOCK_EX)) != 0 && errno == EINTR) continue;
    if (result != 0) throw_errno("cannot lock " + in_quotes(path.native()));
  }

 private:
  UniqueFd file_;
};

void sync_path(const fs::path& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!file || ::fsync(file.get()) != 0) throw_errno("cannot sync " + in_quotes(path.native()));
}

void remove_file(const fs::path& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT && errno != ENOTDIR) {
    throw_errno("cannot remove " + in_quotes(path.native()));
  }
}

bool is_file(const fs::path& path, std::uint64_t bytes) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) &&
         static_cast<std::uint64_t>(info.st_size) == bytes;
}

bool has(const std::vector<std::int64_t>& ids, std::int64_t id) {
  return std::find(ids.begin(), ids.end(), id) != ids.end();
}

std::vector<artifacts::RetentionItem> items_of(std::span<const ArtifactRecord> records) {
  std::vector<artifacts::RetentionItem> items;
  items.reserve(records.size());
  for (const ArtifactRecord& record : records) {
    items.push_back({record.id, record.project, record.ref, record.job, record.run,
                     record.job_status == pipelines::JobStatus::success, record.expires_at});
  }
  return items;
}

}  // namespace

ArtifactShelf::ArtifactShelf(fs::path data, const Clock& clock)
    : data_(std::move(data)), root_(data_ / "artifacts"), clock_(clock) {}

storage::Store& ArtifactShelf::store() {
  if (!store_) {
    make_directories(data_, 0700);
    store_ = storage::open_file_store(data_ / "runner.db", clock_);
  }
  return *store_;
}

storage::Store* ArtifactShelf::existing_store() {
  if (store_) return store_.get();
  std::error_code error;
  if (fs::exists(data_ / "runner.db", error)) return &store();
  // A directory that is not there yet is no failure; one that cannot be looked into is.
  if (error && error != std::errc::no_such_file_or_directory)
    throw Error(error, "cannot look into the data directory " + in_quotes(data_.native()));
  return nullptr;
}

fs::path ArtifactShelf::place_of(const ArtifactRecord& record) const {
  return root_ / record.sha256.substr(0, 2) / (record.sha256 + "." + record.format);
}

std::optional<fs::path> ArtifactShelf::find_file(const ArtifactRecord& record) const {
  for (fs::path path : {place_of(record), fs::path(record.path)}) {
    if (!path.empty() && is_file(path, record.bytes)) return path;
  }
  return std::nullopt;
}

/// The new file takes the place of one of the same content: the older may have been damaged since.
void ArtifactShelf::shelve(const ArtifactRecord& record) const {
  const fs::path place = place_of(record);
  make_directories(place.parent_path(), 0700);
  const fs::path part = place.parent_path() / (std::string(kPart) + std::to_string(::getpid()));
  remove_file(part);
  if (::link(record.path.c_str(), part.c_str()) != 0) {
    std::error_code error;
    fs::copy_file(record.path, part, error);
    if (error) throw_errno(error.value(), "cannot keep " + in_quotes(record.path));
  }
  sync_path(part);
  failpoint("shelf.linked");
  // Nothing happens, and the name stays, when both are one file.
  if (::rename(part.c_str(), place.c_str()) != 0)
    throw_errno("cannot rename to " + in_quotes(place.native()));
  remove_file(part);
  sync_path(place.parent_path());
  sync_path(fs::path(record.path).parent_path());
}

void ArtifactShelf::add(std::span<const ArtifactRecord> records) {
  if (records.empty()) return;
  const ShelfLock lock(root_);
  for (const ArtifactRecord& record : records) shelve(record);
  sync_path(root_);
  failpoint("shelf.shelved");
  store().write([&](Tx& tx) {
    for (const ArtifactRecord& record : records) Artifacts(tx).insert(record);
  });
  failpoint("shelf.recorded");
}

void ArtifactShelf::tidy(const std::string& project, std::size_t runs) {
  const ShelfLock lock(root_);
  std::vector<ArtifactRecord> all = list(std::nullopt);
  const auto expired = artifacts::retention(items_of(all), clock_.now(), {}).expired;
  std::vector<ArtifactRecord> ours;
  std::copy_if(all.begin(), all.end(), std::back_inserter(ours),
               [&](const ArtifactRecord& record) { return record.project == project; });
  const auto beyond = artifacts::retention(items_of(ours), clock_.now(), {true, runs}).beyond;
  const auto goes = std::stable_partition(all.begin(), all.end(), [&](const ArtifactRecord& record) {
    return !has(expired, record.id) && !has(beyond, record.id);
  });
  remove_locked(std::span(goes, all.end()));
  all.erase(goes, all.end());
  remove_orphans(all);
}

std::vector<ArtifactRecord> ArtifactShelf::list(const std::optional<std::string>& project) {
  std::vector<ArtifactRecord> records;
  if (const storage::Store* known = existing_store()) {
    known->read([&](Tx& tx) { records = Artifacts(tx).list(project); });
  }
  return records;
}

std::vector<std::int64_t> ArtifactShelf::latest_of(std::span<const ArtifactRecord> records) const {
  return artifacts::retention(items_of(records), clock_.now(), {}).latest;
}

void ArtifactShelf::remove(std::span<const ArtifactRecord> records) {
  const ShelfLock lock(root_);
  remove_locked(records);
}

/// Rows first: what is listed is there.
void ArtifactShelf::remove_locked(std::span<const ArtifactRecord> records) {
  if (records.empty()) return;
  std::vector<fs::path> files;
  store().write([&](Tx& tx) {
    files.clear();
    Artifacts table(tx);
    for (const ArtifactRecord& record : records) table.remove(record.id);
    for (const ArtifactRecord& record : records) {
      files.emplace_back(record.path);
      if (table.count_of_digest(record.sha256, record.format) == 0) files.push_back(place_of(record));
    }
  });
  failpoint("shelf.forgotten");
  for (const fs::path& file : files) {
    remove_file(file);
    std::error_code not_empty;  // the directories of jobs and runs go with their last file
    if (fs::remove(file.parent_path(), not_empty)) fs::remove(file.parent_path().parent_path(), not_empty);
  }
}

void ArtifactShelf::remove_orphans(std::span<const ArtifactRecord> records) const {
  std::set<fs::path> known;
  for (const ArtifactRecord& record : records) known.insert(place_of(record));
  std::vector<fs::path> orphans;
  std::error_code error;
  for (const fs::directory_entry& group : fs::directory_iterator(root_, error)) {
    if (!group.is_directory(error) || group.path().filename().native().size() != 2) continue;
    for (const fs::directory_entry& file : fs::directory_iterator(group.path(), error)) {
      if (!known.contains(file.path())) orphans.push_back(file.path());
    }
  }
  for (const fs::path& orphan : orphans) remove_file(orphan);
  artifacts::remove_leftovers(root_);
}

}  // namespace runner::cli
