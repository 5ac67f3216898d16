#pragma once
// A git-upload-pack on another machine, whichever way leads there. Internal to this folder; one thread.

#include <cstddef>
#include <memory>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

#include "runner/base/patience.h"
#include "runner/git/remote.h"
#include "runner/git/remote_url.h"

namespace runner::git {

/// How long one conversation may still take, and how much may come.
class Patience : public runner::Patience {
 public:
  Patience(const RemoteLimits& limits, std::stop_token stop)
      : runner::Patience({limits.connect, limits.stall, limits.total}, std::move(stop)), limits_(limits) {}

  const RemoteLimits& limits() const noexcept { return limits_; }

 private:
  RemoteLimits limits_;
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
