#include "runner/api/followers.h"

#include <poll.h>

#include <cerrno>
#include <exception>
#include <string>

#include "runner/base/log.h"

namespace runner::api {
namespace {

bool step(Follower& follower, std::uint64_t changes) noexcept {
  try {
    return follower.step(changes);
  } catch (const std::exception& error) {
    log_error("api", std::string("somebody who follows is let go, and may come again: ") + error.what());
  }
  return false;
}

}  // namespace

Followers::Followers() : thread_([this] { work(); }) {}

Followers::~Followers() {
  stop_ = true;
  wake_->signal();
  thread_.join();
}

void Followers::add(std::unique_ptr<Follower> follower) {
  added_.lock()->push_back(std::move(follower));
  wake_->signal();
}

void Followers::changed() noexcept {
  ++changes_;
  wake_->signal();
}

std::function<void()> Followers::waker() const {
  return [wake = wake_] { wake->signal(); };
}

void Followers::work() {
  std::vector<std::unique_ptr<Follower>> followers;
  while (!stop_) {
    wake_->clear();  // first, so that what comes meanwhile is another turn
    {
      auto added = added_.lock();
      for (auto& each : *added) followers.push_back(std::move(each));
      added->clear();
    }
    const std::uint64_t changes = changes_;
    std::erase_if(followers, [&](const auto& each) { return !stop_ && !step(*each, changes); });
    pollfd woken{wake_->fd(), POLLIN, 0};
    const int patience = followers.empty() ? -1 : static_cast<int>(kFollowInterval.count());
    if (::poll(&woken, 1, patience) < 0 && errno != EINTR) {
      // Only memory can be lacking; without this pause it would be a loop that lacks processor time too.
      std::this_thread::sleep_for(kFollowInterval);
    }
  }
}

}  // namespace runner::api
