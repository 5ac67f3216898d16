#include "runner/base/error.h"
#include "runner/base/text.h"
#include "runner/git/local_refs.h"
#include "runner/git/remote.h"
#include "runner/git/smart_remote.h"

namespace runner::git {

RemoteRefs list_refs(const RemoteAccess& access, const RemoteLimits& limits, const std::stop_token& stop) {
  const RemoteUrl url = parse_remote_url(access.url);
  try {
    Patience patience(limits, stop);
    static_cast<void>(patience.left());  // throws when it was stopped before
    if (url.scheme == Scheme::local) return read_local_source(url.path).refs;
    return SmartRemote(nullptr, url, access, patience).connect();
  } catch (Error& error) {
    error.add_context("cannot list the refs of " + in_quotes(url.shown));
    throw;
  }
}

}  // namespace runner::git
