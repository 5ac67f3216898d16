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
  using SteadyClock = std::chrono::steady_clock;
  std::vector<std::unique_ptr<Follower>> followers;
  std::uint64_t passed_on = 0;
  SteadyPoint pass_on_at{};
  while (!stop_) {
    wake_->clear();  // first, so that what comes meanwhile is another turn
    {
      auto added = added_.lock();
      for (auto& each : *added) followers.push_back(std::move(each));
      added->clear();
    }
    if (const std::uint64_t changes = changes_; changes != passed_on && SteadyClock::now() >= pass_on_at) {
      passed_on = changes;
      pass_on_at = SteadyClock::now() + kChangeInterval;
    }
    std::erase_if(followers, [&](const auto& each) { return !stop_ && !step(*each, passed_on); });
    std::chrono::milliseconds patience = kFollowInterval;
    if (followers.empty()) patience = std::chrono::milliseconds(-1);
    if (!followers.empty() && changes_ != passed_on) patience = kChangeInterval;
    pollfd woken{wake_->fd(), POLLIN, 0};
    if (::poll(&woken, 1, static_cast<int>(patience.count())) < 0 && errno != EINTR) {
      // Only memory can be lacking; without this pause it would be a loop that lacks processor time too.
      std::this_thread::sleep_for(kFollowInterval);
    }
  }
}

}  // namespace runner::api
