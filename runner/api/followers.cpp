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
  using std::chrono::milliseconds;
  std::vector<std::unique_ptr<Follower>> followers;
  std::uint64_t passed_on = 0;
  SteadyPoint busy_until{};
  while (!stop_) {
    wake_->clear();  // first, so that what comes meanwhile is another turn
    {
      auto added = added_.lock();
      for (auto& each : *added) followers.push_back(std::move(each));
      added->clear();
    }
    const SteadyPoint begin = SteadyClock::now();
    bool news = false;
    if (begin >= busy_until) {
      news = growth_.clear() || changes_ != passed_on;
      passed_on = changes_;
    }
    milliseconds patience = kFollowInterval;
    std::erase_if(followers, [&](const auto& each) {
      if (!stop_ && !step(*each, passed_on)) return true;
      patience = std::min(patience, each->patience());
      return false;
    });
    const SteadyPoint end = SteadyClock::now();
    if (news)
      busy_until = end + std::min<SteadyClock::duration>((end - begin) * kPauseForTurn, kLongestPause);
    if (followers.empty()) patience = milliseconds(-1);
    const bool busy = end < busy_until;
    if (!followers.empty() && (busy || changes_ != passed_on))
      patience = std::max(milliseconds(0), std::chrono::ceil<milliseconds>(busy_until - end));
    pollfd woken[] = {{wake_->fd(), POLLIN, 0}, {busy ? -1 : growth_.fd(), POLLIN, 0}};
    if (::poll(woken, 2, static_cast<int>(patience.count())) < 0 && errno != EINTR) {
      // Only memory can be lacking; without this pause it would be a loop that lacks processor time too.
      std::this_thread::sleep_for(kFollowInterval);
    }
  }
}

}  // namespace runner::api
