#include "runner/git/upload_pack.h"

namespace runner::git {

std::unique_ptr<UploadPack> make_upload_pack(const RemoteUrl& url, const RemoteAccess& access,
                                             Patience& patience) {
  return url.scheme == Scheme::ssh ? make_ssh_upload_pack(url, access, patience)
                                   : make_http_upload_pack(url, access, patience);
}

}  // namespace runner::git
