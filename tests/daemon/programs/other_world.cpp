// For LD_PRELOAD: a world in which a test sets the wall clock, and makes a directory read-only, of programs
// that run. What it is like is in the file $RUNNER_TEST_WORLD: two 64-bit numbers, seconds to add to the wall
// clock, and whether what lies below $RUNNER_TEST_READ_ONLY cannot be written. Those who opened a file before
// cannot write it either, as when a file system finds itself damaged: mounting anew would be refused then.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace {

struct World {
  volatile std::int64_t clock_offset;
  volatile std::int64_t read_only;
};

const World kUsual{0, 0};
// Plain, and found when this is loaded: a sanitizer makes directories before it can bear calls of its own.
const World* found = &kUsual;
const char* root = nullptr;

const World* find_world() {
  const char* path = std::getenv("RUNNER_TEST_WORLD");
  if (path == nullptr) return &kUsual;
  const long fd = ::syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
  if (fd < 0) return &kUsual;
  void* page = ::mmap(nullptr, sizeof(World), PROT_READ, MAP_SHARED, static_cast<int>(fd), 0);
  ::close(static_cast<int>(fd));
  return page == MAP_FAILED ? &kUsual : static_cast<const World*>(page);
}

[[gnu::constructor]] void begin() {
  root = std::getenv("RUNNER_TEST_READ_ONLY");
  found = find_world();
}

const World& world() {
  return *found;
}

bool is_below(const char* path) {
  return root != nullptr && std::strncmp(path, root, std::strlen(root)) == 0;
}

bool refuses(const char* path) {
  if (world().read_only == 0 || path == nullptr || !is_below(path)) return false;
  errno = EROFS;
  return true;
}

bool refuses(int fd) {
  if (world().read_only == 0) return false;
  char name[64];
  char path[PATH_MAX];
  std::snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
  const ssize_t size = ::readlink(name, path, sizeof path - 1);
  if (size <= 0) return false;
  path[size] = '\0';
  return refuses(path);
}

bool refuses_open(const char* path, int flags) {
  return ((flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC)) != 0) && refuses(path);
}

template <typename Function>
Function* next(const char* name) {
  return reinterpret_cast<Function*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* time) noexcept {
  const long result = ::syscall(SYS_clock_gettime, clock, time);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
    time->tv_sec += world().clock_offset;
  return static_cast<int>(result);
}

int gettimeofday(timeval* time, void*) noexcept {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  time->tv_sec = now.tv_sec;
  time->tv_usec = now.tv_nsec / 1000;
  return 0;
}

time_t time(time_t* into) noexcept {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  if (into != nullptr) *into = now.tv_sec;
  return now.tv_sec;
}

int open(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = va_arg(more, mode_t);
  va_end(more);
  if (refuses_open(path, flags)) return -1;
  return static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, flags, mode));
}

int open64(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const mode_t mode = va_arg(more, mode_t);
  va_end(more);
  if (refuses_open(path, flags)) return -1;
  return static_cast<int>(::syscall(SYS_openat, AT_FDCWD, path, flags, mode));
}

int mkostemp(char* path, int flags) {
  static auto* const real = next<int(char*, int)>("mkostemp");
  return refuses(path) ? -1 : real(path, flags);
}
int mkostemp64(char* path, int flags) {
  static auto* const real = next<int(char*, int)>("mkostemp64");
  return refuses(path) ? -1 : real(path, flags);
}

ssize_t write(int fd, const void* bytes, size_t count) {
  if (refuses(fd)) return -1;
  return ::syscall(SYS_write, fd, bytes, count);
}
ssize_t pwrite(int fd, const void* bytes, size_t count, off_t at) {
  if (refuses(fd)) return -1;
  return ::syscall(SYS_pwrite64, fd, bytes, count, at);
}
ssize_t pwrite64(int fd, const void* bytes, size_t count, off64_t at) {
  if (refuses(fd)) return -1;
  return ::syscall(SYS_pwrite64, fd, bytes, count, at);
}
int ftruncate(int fd, off_t size) noexcept {
  if (refuses(fd)) return -1;
  return static_cast<int>(::syscall(SYS_ftruncate, fd, size));
}
int ftruncate64(int fd, off64_t size) noexcept {
  if (refuses(fd)) return -1;
  return static_cast<int>(::syscall(SYS_ftruncate, fd, size));
}
int mkdir(const char* path, mode_t mode) noexcept {
  if (refuses(path)) return -1;
  return static_cast<int>(::syscall(SYS_mkdirat, AT_FDCWD, path, mode));
}
int unlink(const char* path) noexcept {
  if (refuses(path)) return -1;
  return static_cast<int>(::syscall(SYS_unlinkat, AT_FDCWD, path, 0));
}
int rename(const char* from, const char* to) noexcept {
  if (refuses(from) || refuses(to)) return -1;
  return static_cast<int>(::syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0));
}
}
