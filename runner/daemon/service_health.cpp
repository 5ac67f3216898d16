#include "runner/daemon/service_health.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <utility>

#include "runner/base/error.h"
#include "runner/base/fd.h"
#include "runner/base/files.h"
#include "runner/base/log.h"
#include "runner/base/text.h"
#include "runner/storage/counted_store.h"

namespace runner::daemon {
namespace {

constexpr std::chrono::seconds kBetweenLooks{1};
// Writers wait for one another; longer than this somebody keeps it from us.
constexpr std::chrono::seconds kDatabasePatience{3};
// What must be free: so much, or this part of a small disk. Below it jobs begin that cannot end well.
constexpr std::uint64_t kMinFree = 64U << 20U, kPartOfDisk = 20;
constexpr const char* kProbe = ".probe";

/// Migrations are made at the start; who makes more of them meanwhile is a newer program.
std::string told_of_schema(std::int64_t schema) {
  const std::int64_t known = storage::known_schema();
  if (schema == known) return {};
  return "the database has the schema " + std::to_string(schema) + " and this program knows " +
         std::to_string(known) + ": another version of it has changed the database; start that one";
}

/// Writes a page where everything is kept, as file systems that can be read only, or are full, tell it only
/// to who writes. Not synced: it costs no access of the disk. Throws Error.
void write_probe(const std::filesystem::path& data) {
  const std::filesystem::path path = data / kProbe;
  const std::array<char, 4096> page{};
  try {
    const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!file) throw_errno("cannot make a file");
    write_all(file.get(), {page.data(), page.size()});
  } catch (Error& error) {
    ::unlink(path.c_str());
    error.add_context("cannot write into the data directory " + in_quotes(data.native()));
    throw;
  }
  if (::unlink(path.c_str()) != 0) throw_errno("cannot remove " + in_quotes(path.native()));
}

}  // namespace

const std::string& HealthState::trouble() const {
  if (!disk.empty()) return disk;
  if (!database.empty()) return database;
  return engine.empty() ? migrations : engine;
}

ServiceHealth::ServiceHealth(storage::Store& store, const Clock& clock, std::filesystem::path data)
    : store_(store), clock_(clock), data_(std::move(data)) {
  look_at_disk();
  thread_ = std::thread([this] { work(); });
}

ServiceHealth::~ServiceHealth() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  ended_.notify_all();
  thread_.join();
}

HealthState ServiceHealth::state() const {
  const std::lock_guard lock(mutex_);
  HealthState state = state_;
  if (asked_ && clock_.steady_now() - *asked_ > kDatabasePatience) {
    const auto waited = std::chrono::duration_cast<std::chrono::seconds>(clock_.steady_now() - *asked_);
    state.database = "the database has not answered for " + std::to_string(waited.count()) +
                     " s: another program holds it, or the disk hangs";
  }
  return state;
}

void ServiceHealth::tell_store_trouble(const std::string& why) {
  const std::lock_guard lock(mutex_);
  state_.engine = why;
}

void ServiceHealth::work() {
  for (;;) {
    look();
    std::unique_lock lock(mutex_);
    if (ended_.wait_for(lock, kBetweenLooks, [this] { return ending_; })) return;
  }
}

void ServiceHealth::look() {
  look_at_disk();
  look_at_database();
  look_at_key();
  const std::string why = trouble();
  if (told_ == why) return;
  if (why.empty()) {
    log_info("health", "work is taken again");
  } else if (told_.empty()) {
    log_error("health", "no work is taken: " + why);
  }
  told_ = why;
}

void ServiceHealth::look_at_disk() {
  std::string why;
  std::uint64_t free = 0, needed = 0;
  try {
    struct statvfs space {};
    if (::statvfs(data_.c_str(), &space) != 0)
      throw_errno("cannot look at the disk of " + in_quotes(data_.native()));
    free = std::uint64_t{space.f_bavail} * space.f_frsize;
    needed = std::min(kMinFree, std::uint64_t{space.f_blocks} * space.f_frsize / kPartOfDisk);
    if (free < needed) {
      why = "the disk of " + in_quotes(data_.native()) + " is nearly full: " + format_bytes(free) +
            " are free, and at least " + format_bytes(needed) + " are needed; make room";
    } else {
      write_probe(data_);
    }
  } catch (const Error& error) {
    why = error.what();
  }
  const std::lock_guard lock(mutex_);
  state_.disk = why;
  state_.free_bytes = free;
  state_.min_bytes = needed;
}

void ServiceHealth::look_at_database() {
  {
    const std::lock_guard lock(mutex_);
    asked_ = clock_.steady_now();
  }
  std::string why;
  std::int64_t schema = 0;
  try {
    // It gets the right to write, and writes nothing.
    store_.write([&](storage::Tx& tx) { schema = storage::applied_schema(tx); });
  } catch (const Error& error) {
    why = std::string("the database cannot be written: ") + error.what();
  }
  const std::lock_guard lock(mutex_);
  state_.database = why;
  if (why.empty()) {
    state_.schema = schema;
    state_.migrations = told_of_schema(schema);
  }
  state_.database_seconds = std::chrono::duration<double>(clock_.steady_now() - *asked_).count();
  state_.checked_at = clock_.now();
  asked_.reset();
}

/// The server has it in memory, but the next start needs the file.
void ServiceHealth::look_at_key() {
  const std::filesystem::path path = data_ / "secrets" / "data.key";
  std::string why;
  if (::access(path.c_str(), R_OK) != 0) {
    const std::error_code error(errno, std::generic_category());
    why = "the key of all secrets cannot be read from " + in_quotes(path.native()) + " (" + error.message() +
          "): put it back before the server is started anew";
  }
  bool news = false;
  {
    const std::lock_guard lock(mutex_);
    news = state_.key.empty();
    state_.key = why;
  }
  if (news && !why.empty()) log_warn("health", why);
}

}  // namespace runner::daemon
