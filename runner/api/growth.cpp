#include "runner/api/growth.h"

#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include "runner/base/log.h"

namespace runner::api {
namespace {

void tell_of_limit(const char* what) {
  log_warn("api", std::string("followers of logs look ten times a second only: ") + what + ": " +
                      std::generic_category().message(errno) +
                      "; mend: raise fs.inotify.max_user_instances and fs.inotify.max_user_watches");
}

}  // namespace

Growth::Growth() {
  state_->notify.reset(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!state_->notify) tell_of_limit("cannot watch files");
}

bool Growth::clear() noexcept {
  std::array<char, 4096> events{};
  bool any = false;
  while (::read(state_->notify.get(), events.data(), events.size()) > 0) any = true;
  return any;
}

Growth::Watch Growth::watch(int file) {
  Watch made;
  if (!state_->notify) return made;
  const std::string name = "/proc/self/fd/" + std::to_string(file);
  const int id = ::inotify_add_watch(state_->notify.get(), name.c_str(), IN_MODIFY);
  if (id < 0) {
    tell_of_limit("cannot watch a log");
    return made;
  }
  ++state_->watches[id];
  made.state_ = state_;
  made.id_ = id;
  return made;
}

Growth::Watch& Growth::Watch::operator=(Watch&& other) noexcept {
  end();
  state_ = std::move(other.state_);
  id_ = other.id_;
  return *this;
}

void Growth::Watch::end() noexcept {
  if (state_ == nullptr) return;
  const auto found = state_->watches.find(id_);
  if (found != state_->watches.end() && --found->second == 0) {
    state_->watches.erase(found);
    ::inotify_rm_watch(state_->notify.get(), id_);
  }
  state_.reset();
}

}  // namespace runner::api
