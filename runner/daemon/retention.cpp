#include "runner/daemon/retention.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "runner/base/error.h"
#include "runner/base/failpoint.h"
#include "runner/base/files.h"
#include "runner/base/log.h"
#include "runner/base/text.h"
#include "runner/storage/delivery_table.h"
#include "runner/storage/event_table.h"
#include "runner/storage/job_archive_table.h"
#include "runner/storage/tables.h"

namespace runner::daemon {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPage = 200;
constexpr std::string_view kCondemned = ".condemned";

class Pass {
 public:
  Pass(storage::Store& store, const Clock& clock, const fs::path& data, const RetentionOptions& options,
       const std::stop_token& stop)
      : store_(store), now_(clock.now()), data_(data), options_(options), stop_(stop) {}

  RetentionTally run() {
    remove_archives();
    remove_orphans();
    remove_logs();
    prune();
    return tally_;
  }

 private:
  void remove_archives() {
    for (std::size_t found = kPage; found == kPage && !stop_.stop_requested();) {
      std::vector<fs::path> unnamed;
      store_.write([&](storage::Tx& tx) {
        unnamed.clear();
        storage::JobArchives table(tx);
        // Not at once: the file is then older than one that may be published at this moment.
        const auto expired = table.expired(now_ - kJustMade, kPage);
        found = expired.size();
        for (const storage::JobArchiveRecord& record : expired)
          if (table.remove(record)) unnamed.emplace_back(data_ / record.path);
      });
      failpoint("retention.forgotten");
      tally_.archives += found;
      for (const fs::path& path : unnamed) remove_unnamed(path, TimePoint::max());
    }
  }

  /// Files that a process left which was killed between its archive and the row of it.
  void remove_orphans() {
    std::error_code error;
    std::uint64_t kept = 0;
    for (const fs::directory_entry& group : fs::directory_iterator(data_ / "archives", error)) {
      if (!group.is_directory(error) || group.is_symlink(error)) continue;
      for (const fs::directory_entry& file : fs::directory_iterator(group.path(), error)) {
        if (stop_.stop_requested()) return;
        if (file.path().filename().native().ends_with(kCondemned)) {
          give_back(file.path());
          continue;
        }
        const auto age_limit = now_ - options_.orphans;
        struct stat info {};
        const bool regular = ::lstat(file.path().c_str(), &info) == 0 && S_ISREG(info.st_mode);
        const bool old = regular && TimePoint(std::chrono::seconds(info.st_mtim.tv_sec)) < age_limit;
        if (old && !is_named(file.path()) && remove_unnamed(file.path(), age_limit)) {
          ++tally_.orphans;
        } else if (regular) {
          kept += static_cast<std::uint64_t>(info.st_size);
        }
      }
    }
    tally_.kept_bytes = kept;
  }

  bool is_named(const fs::path& file) {
    bool named = false;
    store_.read([&](storage::Tx& tx) {
      named = storage::JobArchives(tx).names(file.lexically_proximate(data_).native());
    });
    return named;
  }

  /// Archives are named by their content, so a job may publish the same one at this moment, and its row comes
  /// later. So the file is taken away under another name first, and given back when it is a newer one.
  bool remove_unnamed(const fs::path& file, TimePoint older_than) {
    const fs::path condemned = file.native() + std::string(kCondemned);
    if (::rename(file.c_str(), condemned.c_str()) != 0) {
      if (errno == ENOENT) return false;
      throw_errno("cannot remove the archive " + in_quotes(file.native()));
    }
    failpoint("retention.condemned");
    struct stat info {};
    const bool there = ::lstat(condemned.c_str(), &info) == 0;
    const TimePoint limit = std::min(older_than, now_ - kJustMade);
    if (is_named(file) || (there && TimePoint(std::chrono::seconds(info.st_mtim.tv_sec)) >= limit)) {
      give_back(condemned);
      return false;
    }
    if (::unlink(condemned.c_str()) != 0 && errno != ENOENT)
      throw_errno("cannot remove the archive " + in_quotes(condemned.native()));
    tally_.bytes += there ? static_cast<std::uint64_t>(info.st_size) : 0;
    ::rmdir(file.parent_path().c_str());  // when it was the last
    return true;
  }

  /// What a killed pass left as well; another file of that name has the same content.
  static void give_back(const fs::path& condemned) {
    const std::string& name = condemned.native();
    const std::string back = name.substr(0, name.size() - kCondemned.size());
    if (::renameat2(AT_FDCWD, name.c_str(), AT_FDCWD, back.c_str(), RENAME_NOREPLACE) == 0) return;
    if (errno == EEXIST) ::unlink(name.c_str());
  }

  void remove_logs() {
    std::vector<std::pair<fs::path, std::int64_t>> places;
    std::error_code error;
    for (const fs::directory_entry& entry : fs::directory_iterator(data_ / "logs", error)) {
      if (const auto id = parse_integer(entry.path().filename().native()))
        places.emplace_back(entry.path(), *id);
    }
    for (const auto& [path, id] : places) {
      if (stop_.stop_requested()) return;
      std::optional<storage::PipelineRecord> pipeline;
      store_.read([&, id = id](storage::Tx& tx) { pipeline = storage::Pipelines(tx).find(id); });
      // A pipeline that is being made has its directory soon after its row, never before.
      const bool gone = !pipeline;
      const bool old = pipeline && pipeline->finished_at && options_.logs.count() > 0 &&
                       *pipeline->finished_at < now_ - options_.logs;
      if (!gone && !old) continue;
      if (!remove_tree(path, [this] { return stop_.stop_requested(); })) return;
      ++tally_.logs;
    }
  }

  void prune() {
    const auto all = [&](std::size_t& count, const auto& some) {
      for (std::size_t removed = storage::kMaxPage;
           removed == storage::kMaxPage && !stop_.stop_requested();) {
        store_.write([&](storage::Tx& tx) { removed = some(tx); });
        count += removed;
      }
    };
    if (options_.logs.count() > 0) {
      all(tally_.events,
          [&](storage::Tx& tx) { return storage::EventLog(tx).prune_before(now_ - options_.logs); });
    }
    all(tally_.deliveries,
        [&](storage::Tx& tx) { return storage::Deliveries(tx).prune(now_ - options_.deliveries); });
  }

  /// Younger files may be of an archive whose row is on its way.
  static constexpr std::chrono::hours kJustMade{1};

  storage::Store& store_;
  const TimePoint now_;
  const fs::path& data_;
  const RetentionOptions& options_;
  const std::stop_token& stop_;
  RetentionTally tally_;
};

}  // namespace

RetentionTally remove_old(storage::Store& store, const Clock& clock, const fs::path& data,
                          const RetentionOptions& options, const std::stop_token& stop) {
  return Pass(store, clock, data, options, stop).run();
}

RetentionThread::RetentionThread(storage::Store& store, const Clock& clock, fs::path data,
                                 RetentionOptions options, std::function<void(const RetentionTally&)> passed)
    : store_(store),
      clock_(clock),
      data_(std::move(data)),
      options_(options),
      passed_(std::move(passed)),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

void RetentionThread::run(const std::stop_token& stop) const {
  std::mutex mutex;
  std::condition_variable_any over;
  do {
    try {
      const RetentionTally tally = remove_old(store_, clock_, data_, options_, stop);
      if (passed_) passed_(tally);
      if (tally.archives + tally.logs + tally.orphans == 0) continue;
      log_info("retention", "removed " + format_count(tally.archives, "archive") + " past their time, " +
                                format_count(tally.orphans, "archive") + " of nobody and logs of " +
                                format_count(tally.logs, "pipeline") + ", " + format_bytes(tally.bytes) +
                                " of archives");
    } catch (const std::exception& error) {
      log_warn("retention", std::string("what is old stays for now: ") + error.what());
    }
  } while ([&] {
    std::unique_lock lock(mutex);
    over.wait_for(lock, stop, options_.every, [] { return false; });
    return !stop.stop_requested();
  }());
}

}  // namespace runner::daemon
