#include "runner/git/upload_pack.h"

#include <algorithm>
#include <utility>

#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::git {
namespace {

using std::chrono::milliseconds;

std::chrono::steady_clock::time_point after(milliseconds limit) {
  // Far beyond any use, and far from overflow.
  constexpr milliseconds kLongest = std::chrono::hours(24 * 365);
  return std::chrono::steady_clock::now() + std::clamp(limit, milliseconds(0), kLongest);
}

}  // namespace

Patience::Patience(const RemoteLimits& limits, std::stop_token stop)
    : limits_(limits), stop_(std::move(stop)), end_(after(limits.total)) {}

int Patience::left() const {
  if (stop_.stop_requested()) throw Error(ErrorCode::cancelled, "it was stopped");
  const Clock::time_point now = Clock::now();
  if (now >= end_) {
    throw Error(ErrorCode::timeout, "it took longer than " + format_duration(limits_.total) +
                                        ", the limit for the whole; look at the network and the server's "
                                        "load, or raise the limit");
  }
  const auto silent = std::chrono::duration_cast<milliseconds>(now - moved_);
  if (silent >= limits_.stall) {
    throw Error(ErrorCode::timeout, "the server sent nothing within " + format_duration(limits_.stall) +
                                        "; look at the network and the server's load, or raise the limit");
  }
  const auto whole = std::chrono::duration_cast<milliseconds>(end_ - now);
  constexpr milliseconds kLongestWait{60'000};
  return static_cast<int>(std::min({whole, limits_.stall - silent, kLongestWait}).count()) + 1;
}

std::unique_ptr<UploadPack> make_upload_pack(const RemoteUrl& url, const RemoteAccess& access,
                                             Patience& patience) {
  return url.scheme == Scheme::ssh ? make_ssh_upload_pack(url, access, patience)
                                   : make_http_upload_pack(url, access, patience);
}

}  // namespace runner::git
