#include "tests/daemon/trouble.h"

#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "runner/base/error.h"
#include "runner/base/files.h"

namespace runner::test {

std::string SmallDisk::missing() {
  static const bool own =
      ::unshare(CLONE_NEWNS) == 0 && ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
  return own ? "" : "only root can mount";
}

SmallDisk::SmallDisk(const std::filesystem::path& directory, std::size_t megabytes) : directory_(directory) {
  make_directories(directory_);
  const std::string size = "size=" + std::to_string(megabytes) + "m";
  if (::mount("none", directory_.c_str(), "tmpfs", 0, size.c_str()) != 0) throw_errno("cannot mount a tmpfs");
}

SmallDisk::~SmallDisk() {
  ::umount2(directory_.c_str(), MNT_DETACH);
}

void SmallDisk::fill() const {
  const UniqueFd file(
      ::open((directory_ / "filler").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_APPEND, 0600));
  if (!file) throw_errno("cannot fill a disk");
  const std::array<char, 4096> page{};
  while (::write(file.get(), page.data(), page.size()) > 0) {
  }
  if (errno != ENOSPC) throw_errno("cannot fill a disk");
}

void SmallDisk::make_room() const {
  std::filesystem::remove(directory_ / "filler");
}

void SmallDisk::mount_again(bool read_only) const {
  unsigned long flags = MS_REMOUNT;
  if (read_only) flags |= MS_RDONLY;
  if (::mount(nullptr, directory_.c_str(), nullptr, flags, nullptr) != 0) throw_errno("cannot mount again");
}

DatabaseHolder::DatabaseHolder(const std::filesystem::path& database) {
  constexpr const char* kHold =
      "import sqlite3, sys\n"
      "held = sqlite3.connect(sys.argv[1], timeout=60, isolation_level=None)\n"
      "held.execute('BEGIN EXCLUSIVE')\n"
      "print('held', flush=True)\n"
      "sys.stdin.read()\n"
      "held.execute('ROLLBACK')\n";
  Pipe in = make_pipe(), out = make_pipe();
  const std::string file = database.native();
  std::array<char*, 5> argv = {const_cast<char*>("python3"), const_cast<char*>("-c"),
                               const_cast<char*>(kHold), const_cast<char*>(file.c_str()), nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.read.get(), 0);
  posix_spawn_file_actions_adddup2(&actions, out.write.get(), 1);
  const int error = ::posix_spawnp(&pid_, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw_errno(error, "cannot start python3");
  input_ = std::move(in.write);
  out.write.reset();
  std::string said;
  for (char c = 0; !said.ends_with('\n');) {
    const ssize_t got = ::read(out.read.get(), &c, 1);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    said += c;
  }
  if (said != "held\n") throw Error(ErrorCode::internal, "the database cannot be held");
}

DatabaseHolder::~DatabaseHolder() {
  input_.reset();
  ::waitpid(pid_, nullptr, 0);
}

OtherWorld::OtherWorld(const std::filesystem::path& place, const std::filesystem::path& directory)
    : file_(place / "world"), directory_(directory) {
  write_file_atomic(file_, std::string(2 * sizeof(std::int64_t), '\0'), 0644, false);
  const UniqueFd file(::open(file_.c_str(), O_RDWR | O_CLOEXEC));
  void* page = ::mmap(nullptr, 2 * sizeof(std::int64_t), PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0);
  if (page == MAP_FAILED) throw_errno("cannot map the world");
  page_ = static_cast<volatile std::int64_t*>(page);
}

OtherWorld::~OtherWorld() {
  ::munmap(const_cast<std::int64_t*>(page_), 2 * sizeof(std::int64_t));
}

std::vector<std::string> OtherWorld::environment() const {
  return {"LD_PRELOAD=" OTHER_WORLD, "RUNNER_TEST_WORLD=" + file_.native(),
          "RUNNER_TEST_READ_ONLY=" + directory_.native() + "/",
          // The sanitizer wants to be the first library, and need not.
          "ASAN_OPTIONS=verify_asan_link_order=0:detect_leaks=0"};
}

void OtherWorld::set_clock(std::int64_t seconds_from_now) {
  page_[0] = seconds_from_now;
}

void OtherWorld::set_read_only(bool read_only) {
  page_[1] = read_only ? 1 : 0;
}

}  // namespace runner::test
