#pragma once
// libgit2 at one end of a conversation, an UploadPack at the other: libgit2 speaks git's protocol, we carry
// the bytes, with limits. It is told so for each remote, so nothing is registered with the library, and many
// threads fetch at the same time. Internal to this folder; one thread.

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "runner/git/mirror.h"
#include "runner/git/upload_pack.h"

struct git_repository;

namespace runner::git {

class SmartRemote {
 public:
  /// `into`: null to list refs only. For a local URL libgit2 reads the directory itself. All are kept by
  /// reference.
  SmartRemote(git_repository* into, const RemoteUrl& url, const RemoteAccess& access, Patience& patience);
  ~SmartRemote();
  SmartRemote(const SmartRemote&) = delete;
  SmartRemote& operator=(const SmartRemote&) = delete;

  /// Connects, and asks what there is. Throws Error, as list_refs().
  RemoteRefs connect();
  /// What the refspecs name and `into` lacks: a pack. How many bytes came. After connect(). Throws Error.
  std::uint64_t download(std::span<const std::string> refspecs,
                         const std::function<void(const FetchProgress&)>& progress);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace runner::git
