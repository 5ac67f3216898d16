#include "runner/daemon/key_keeper.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <map>
#include <utility>

#include "runner/base/error.h"
#include "runner/base/log.h"
#include "runner/base/text.h"
#include "runner/storage/audit_table.h"

namespace runner::daemon {
namespace {

using storage::DataKeyFile;

constexpr std::chrono::seconds kPause{5};  // after the store or the disk failed
constexpr std::size_t kShown = 20;         // of failures

}  // namespace

KeyKeeper::KeyKeeper(storage::Store& store, storage::Sealer& sealer, storage::DataKeyFiles files,
                     const Clock& clock)
    : store_(store), sealer_(sealer), files_(std::move(files)), clock_(clock) {}

KeyKeeper::~KeyKeeper() {
  stop();
}

void KeyKeeper::start() {
  for (const DataKeyFile& file : files_.list()) wanted_ = wanted_ || (!file.seals && !file.unused);
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

void KeyKeeper::stop() noexcept {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
}

api::DataKeyReport KeyKeeper::data_keys() {
  std::map<std::string, std::int64_t> counts;
  store_.read([&](storage::Tx& tx) { counts = storage::count_sealed_values(tx); });
  api::DataKeyReport report;
  {
    const std::scoped_lock files(files_mutex_);
    for (const DataKeyFile& file : files_.list())
      report.keys.push_back({file.id, file.made_at, file.seals, std::exchange(counts[file.id], 0)});
  }
  for (const auto& [id, count] : counts)  // a database of before, whose keys are not here
    if (count > 0)
      report.failures.push_back(std::to_string(count) + " values need the data key '" + id +
                                "', which is not here: put its file back");
  const std::scoped_lock lock(mutex_);
  report.renewing = wanted_;
  report.renewed = renewed_;
  report.failures.insert(report.failures.end(), failures_.begin(), failures_.end());
  return report;
}

std::string KeyKeeper::change_data_key() {
  const std::scoped_lock files(files_mutex_);
  sealer_.use_key(files_.change());
  {
    const std::scoped_lock lock(mutex_);
    wanted_ = true;
    renewed_ = 0;
    failures_.clear();
  }
  woken_.notify_all();
  return sealer_.key_id();
}

void KeyKeeper::remove_data_key(const std::string& id) {
  const std::scoped_lock files(files_mutex_);
  const std::vector<DataKeyFile> list = files_.list();
  const auto file =
      std::find_if(list.begin(), list.end(), [&](const DataKeyFile& one) { return one.id == id; });
  if (file == list.end())
    throw Error(ErrorCode::not_found,
                "there is no data key " + in_quotes(id) + "; 'runner keys list' has them");
  if (file->seals)
    throw Error(ErrorCode::conflict,
                "this is the key that seals; put another in its place first, by 'runner keys rotate'");
  std::map<std::string, std::int64_t> counts;
  store_.read([&](storage::Tx& tx) { counts = storage::count_sealed_values(tx); });
  if (counts[id] > 0)
    throw Error(ErrorCode::conflict, std::to_string(counts[id]) +
                                         " values still need it; 'runner keys list' tells when none does");
  files_.remove(*file);
  sealer_.forget_key(id);
}

void KeyKeeper::run(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (woken_.wait(lock, stop, [this] { return wanted_; }) && !stop.stop_requested()) {
    lock.unlock();
    bool done = false;
    try {
      done = renew_all(stop);
    } catch (const std::exception& error) {
      log_warn("keys", std::string("cannot give values the new data key yet: ") + error.what());
    }
    lock.lock();
    if (!done && !stop.stop_requested()) woken_.wait_for(lock, stop, kPause, [] { return false; });
  }
}

/// False when it has to be done again.
bool KeyKeeper::renew_all(const std::stop_token& stop) {
  const std::string key = sealer_.key_id();
  storage::SealedValues values(store_, sealer_);
  while (values.renew_some()) {
    if (stop.stop_requested()) return false;
    const std::scoped_lock lock(mutex_);
    renewed_ = values.tally().renewed;
  }
  const std::scoped_lock files(files_mutex_);
  if (sealer_.key_id() != key) return false;
  return finish(values.tally());
}

/// With the files locked: no key is changed meanwhile. False when it has to be done again.
bool KeyKeeper::finish(const storage::RenewTally& tally) {
  std::map<std::string, std::int64_t> counts;
  store_.read([&](storage::Tx& tx) { counts = storage::count_sealed_values(tx); });
  std::int64_t left = 0;
  for (const DataKeyFile& file : files_.list()) {
    if (file.seals || file.unused) continue;
    left += counts[file.id];
    if (counts[file.id] == 0) files_.set_unused(file);
  }
  // Somebody sealed with a key that was changed before they were done.
  if (left > 0 && tally.failures.empty()) return false;
  store_.write([&](storage::Tx& tx) {
    storage::AuditRecord record;
    record.at = clock_.now();
    record.actor = storage::kAuditSelf;
    record.action = "key.renewed";
    record.object = "data key " + sealer_.key_id();
    record.reason =
        std::to_string(tally.renewed) + " values have it now" +
        (tally.failures.empty() ? "" : ", " + std::to_string(tally.failures.size()) + " do not open");
    storage::AuditLog(tx).append(std::move(record));
  });
  log_info("keys", std::to_string(tally.renewed) + " values have the data key " + sealer_.key_id() + " now");
  for (const std::string& failure : tally.failures) log_error("keys", failure);
  const std::scoped_lock lock(mutex_);
  wanted_ = false;
  failures_.assign(tally.failures.begin(), tally.failures.begin() + static_cast<std::ptrdiff_t>(std::min(
                                                                        kShown, tally.failures.size())));
  return true;
}

}  // namespace runner::daemon
