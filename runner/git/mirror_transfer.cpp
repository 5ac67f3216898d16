#include "runner/git/mirror_transfer.h"

#include <git2.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <set>

#include "runner/base/error.h"
#include "runner/base/failpoint.h"
#include "runner/base/text.h"
#include "runner/git/git_handles.h"
#include "runner/git/remote_url.h"

namespace runner::git {
namespace {

constexpr int kMostTries = 4;  // of one kind of credentials after another

struct RemoteFree {
  void operator()(git_remote* remote) const noexcept {
    git_remote_disconnect(remote);
    git_remote_free(remote);
  }
};
struct RefspecFree {
  void operator()(git_refspec* refspec) const noexcept { git_refspec_free(refspec); }
};
using Refspec = std::unique_ptr<git_refspec, RefspecFree>;

/// Quick start skipped them; a connection needs them.
void load_certificates() {
  const auto named = [](const char* variable, const char* fallback) {
    const char* value = std::getenv(variable);
    return value != nullptr && *value != '\0' ? value : fallback;
  };
  const char* file = named("GIT_SSL_CAINFO", named("SSL_CERT_FILE", "/etc/ssl/certs/ca-certificates.crt"));
  git_libgit2_opts(GIT_OPT_SET_SSL_CERT_LOCATIONS, file, nullptr);
}

class Transfer {
 public:
  Transfer(git_repository* mirror, const FetchRequest& request)
      : mirror_(mirror), request_(request), shown_(without_credentials(request.url)) {
    git_remote_init_callbacks(&callbacks_, GIT_REMOTE_CALLBACKS_VERSION);
    callbacks_.payload = this;
    callbacks_.credentials = &Transfer::on_credentials;
    callbacks_.transfer_progress = &Transfer::on_progress;
  }

  void run() {
    if (request_.url.empty() || request_.url.starts_with('-'))
      throw Error(ErrorCode::invalid_input,
                  "cannot fetch from " + in_quotes(shown_) + ": that is no address");
    if (request_.url.starts_with("http")) load_certificates();
    make_remote();
    step(git_remote_connect(remote_.get(), GIT_DIRECTION_FETCH, &callbacks_, nullptr, nullptr));
    git_fetch_options options = GIT_FETCH_OPTIONS_INIT;
    options.callbacks = callbacks_;
    options.download_tags = GIT_REMOTE_DOWNLOAD_TAGS_NONE;
    options.update_fetchhead = 0;
    std::vector<char*> texts;
    for (const std::string& text : request_.refspecs) texts.push_back(const_cast<char*>(text.c_str()));
    const git_strarray refspecs{texts.data(), texts.size()};
    step(git_remote_download(remote_.get(), &refspecs, &options));
    failpoint("mirror.downloaded");
    remove_gone_refs();
    failpoint("mirror.pruned");
    step(git_remote_update_tips(remote_.get(), &callbacks_, 0, GIT_REMOTE_DOWNLOAD_TAGS_NONE, "fetch"));
    note_default_branch();
  }

 private:
  void make_remote() {
    for (const std::string& text : request_.refspecs) {
      git_refspec* parsed = nullptr;
      step(git_refspec_parse(&parsed, text.c_str(), 1));
      refspecs_.emplace_back(parsed);
    }
    git_remote_create_options options = GIT_REMOTE_CREATE_OPTIONS_INIT;
    options.repository = mirror_;
    options.flags = GIT_REMOTE_CREATE_SKIP_DEFAULT_FETCHSPEC | GIT_REMOTE_CREATE_SKIP_INSTEADOF;
    git_remote* made = nullptr;
    const int result = git_remote_create_with_opts(&made, request_.url.c_str(), &options);
    remote_.reset(made);
    step(result);
  }

  void remove_gone_refs() {
    const git_remote_head** heads = nullptr;
    std::size_t count = 0;
    step(git_remote_ls(&heads, &count, remote_.get()));
    std::set<std::string> there;
    for (std::size_t i = 0; i < count; ++i) {
      for (const Refspec& refspec : refspecs_) {
        if (git_refspec_src_matches(refspec.get(), heads[i]->name) == 0) continue;
        git_buf name = GIT_BUF_INIT;
        if (git_refspec_transform(&name, refspec.get(), heads[i]->name) == 0) there.insert(name.ptr);
        git_buf_dispose(&name);
      }
    }
    Handle<git_reference_iterator> all;
    check(git_reference_iterator_new(Out(all), mirror_), "cannot list the refs of the mirror");
    for (;;) {
      Handle<git_reference> reference;
      const int result = git_reference_next(Out(reference), all.get());
      if (result == GIT_ITEROVER) break;
      check(result, "cannot read the refs of the mirror");
      const char* name = git_reference_name(reference.get());
      const bool ours = std::any_of(refspecs_.begin(), refspecs_.end(), [&](const Refspec& refspec) {
        return git_refspec_dst_matches(refspec.get(), name) != 0;
      });
      if (ours && !there.contains(name)) check(git_reference_delete(reference.get()), "cannot remove a ref");
    }
  }

  void note_default_branch() {
    git_buf name = GIT_BUF_INIT;
    if (git_remote_default_branch(&name, remote_.get()) == 0) {
      const int result = git_repository_set_head(mirror_, name.ptr);
      git_buf_dispose(&name);
      check(result, "cannot set the HEAD of the mirror");
    }
  }

  void step(int result) const {
    if (thrown_) std::rethrow_exception(thrown_);
    if (result >= 0) return;
    if (request_.cancelled && request_.cancelled())
      throw Error(ErrorCode::cancelled, "the fetch from " + in_quotes(shown_) + " was stopped");
    const git_error* error = git_error_last();
    const int kind = error != nullptr ? error->klass : GIT_ERROR_NONE;
    std::string reason = replace_all(last_message(), request_.url, shown_);
    throw Error(
        result == GIT_ENOTFOUND ? ErrorCode::not_found : ErrorCode::unavailable,
        "cannot fetch from " + in_quotes(shown_) + ": " + reason + "; " + mend(result, kind, request_.url));
  }

  static std::string mend(int result, int kind, std::string_view url) {
    if (result == GIT_EAUTH) return "check the credentials for this repository";
    if (result == GIT_ECERTIFICATE || kind == GIT_ERROR_SSL)
      return "check the server's certificate, or name the authority that signed it in SSL_CERT_FILE";
    if (kind == GIT_ERROR_SSH) return "check the host key and the key that is offered";
    if (result == GIT_ENOTFOUND || (kind == GIT_ERROR_OS && !url.starts_with("http")) ||
        kind == GIT_ERROR_REPOSITORY)
      return "check that the repository is there and may be read";
    return "check the address and that the server can be reached";
  }

  static int on_progress(const git_indexer_progress*, void* payload) {
    return static_cast<Transfer*>(payload)->guarded([](Transfer& self) {
      return self.request_.cancelled && self.request_.cancelled() ? static_cast<int>(GIT_EUSER) : 0;
    });
  }

  static int on_credentials(git_credential** out, const char* url, const char* user, unsigned allowed,
                            void* payload) {
    return static_cast<Transfer*>(payload)->guarded([&](Transfer& self) {
      return self.give_credentials(out, url, user != nullptr ? user : "", allowed);
    });
  }

  int give_credentials(git_credential** out, const std::string& url, const std::string& user,
                       unsigned allowed) {
    if (!request_.credentials || ++tries_ > kMostTries) {
      git_error_set_str(GIT_ERROR_CALLBACK,
                        tries_ > kMostTries ? "the credentials are refused" : "the remote wants credentials");
      return GIT_EAUTH;
    }
    const std::optional<Credentials> given = request_.credentials(url, user);
    if (!given) {
      git_error_set_str(GIT_ERROR_CALLBACK, "the remote wants credentials, and there are none for it");
      return GIT_EAUTH;
    }
    const std::string name = given->user.empty() ? (user.empty() ? "git" : user) : given->user;
    if ((allowed & GIT_CREDENTIAL_USERPASS_PLAINTEXT) != 0 && !given->password.empty())
      return git_credential_userpass_plaintext_new(out, name.c_str(), given->password.c_str());
    if ((allowed & GIT_CREDENTIAL_SSH_KEY) != 0 && !given->private_key.empty())
      return git_credential_ssh_key_new(out, name.c_str(), nullptr, given->private_key.c_str(),
                                        given->passphrase.c_str());
    if ((allowed & GIT_CREDENTIAL_SSH_KEY) != 0 && given->ssh_agent)
      return git_credential_ssh_key_from_agent(out, name.c_str());
    if ((allowed & GIT_CREDENTIAL_USERNAME) != 0) return git_credential_username_new(out, name.c_str());
    git_error_set_str(GIT_ERROR_CALLBACK, "the remote takes none of the credentials there are for it");
    return GIT_EAUTH;
  }

  /// No exception may cross libgit2.
  template <typename Body>
  int guarded(Body body) noexcept {
    try {
      return body(*this);
    } catch (...) {
      thrown_ = std::current_exception();
      return GIT_EUSER;
    }
  }

  git_repository* mirror_;
  const FetchRequest& request_;
  const std::string shown_;
  git_remote_callbacks callbacks_{};
  std::unique_ptr<git_remote, RemoteFree> remote_;
  std::vector<Refspec> refspecs_;
  std::exception_ptr thrown_;
  int tries_ = 0;
};

}  // namespace

void transfer(git_repository* mirror, const FetchRequest& request) {
  Transfer(mirror, request).run();
}

}  // namespace runner::git
