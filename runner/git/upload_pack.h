#pragma once
// A git-upload-pack on another machine, whichever way leads there. Internal to this folder; one thread.

#include <chrono>
#include <cstddef>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "runner/git/remote.h"
#include "runner/git/remote_url.h"

namespace runner::git {

/// How long one conversation may still take. Only time that is waited counts against the stall limit, so that
/// whoever is slow in taking what came is not at fault.
class Patience {
 public:
  Patience(const RemoteLimits& limits, std::stop_token stop);

  /// A wait begins, or a byte came or went.
  void restart() noexcept { moved_ = Clock::now(); }
  /// Milliseconds that may be waited now, at least 1. Throws Error{timeout} and Error{cancelled}.
  int left() const;
  const RemoteLimits& limits() const noexcept { return limits_; }
  const std::stop_token& stop() const noexcept { return stop_; }

 private:
  using Clock = std::chrono::steady_clock;
  RemoteLimits limits_;
  std::stop_token stop_;
  Clock::time_point moved_ = Clock::now();
  Clock::time_point end_;
};

class UploadPack {
 public:
  virtual ~UploadPack() = default;

  /// Connects and asks for the refs, which read_some() gives then. Once. Throws Error, as all below.
  virtual void start() = 0;
  /// What follows: over http a request of its own, whose answer read_some() gives.
  virtual void send(std::string_view bytes) = 0;
  /// At least one byte, or 0 at the end of an answer.
  virtual std::size_t read_some(char* buffer, std::size_t size) = 0;
  /// The answer ended where it must not: throws the reason, if this side knows one.
  virtual void explain_end() {}
  /// Every request stands alone and is answered until the end.
  virtual bool is_stateless() const noexcept = 0;
};

/// `url` is that of `access`, and not local. `patience` outlives it. Connects with start().
std::unique_ptr<UploadPack> make_upload_pack(const RemoteUrl& url, const RemoteAccess& access,
                                             Patience& patience);

std::unique_ptr<UploadPack> make_http_upload_pack(const RemoteUrl& url, const RemoteAccess& access,
                                                  Patience& patience);
std::unique_ptr<UploadPack> make_ssh_upload_pack(const RemoteUrl& url, const RemoteAccess& access,
                                                 Patience& patience);

}  // namespace runner::git
