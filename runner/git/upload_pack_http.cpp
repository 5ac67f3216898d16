// git-upload-pack over http and https: gitprotocol-http of git's documentation, the "smart" way only.
#include <array>
#include <optional>

#include "runner/base/error.h"
#include "runner/base/http_transfer.h"
#include "runner/base/text.h"
#include "runner/git/upload_pack.h"

namespace runner::git {
namespace {

constexpr std::size_t kMostSaid = 300;
constexpr std::string_view kRefs = "/info/refs?service=git-upload-pack";

std::string base_of(const RemoteUrl& url) {
  std::string base = url.scheme == Scheme::https ? "https://" : "http://";
  base += url.authority() + url.path;
  while (base.ends_with('/')) base.pop_back();
  return base;
}

class HttpUploadPack : public UploadPack {
 public:
  HttpUploadPack(const RemoteUrl& url, const RemoteAccess& access, Patience& patience)
      : url_(url), base_(base_of(url)), authorities_(access.authorities), patience_(patience) {
    if (url_.path.find('?') != std::string::npos)
      throw Error(ErrorCode::invalid_input, "the address of a repository takes no '?'");
    user_ = access.secret.empty() ? url.user : access.username;
    secret_ = access.secret.empty() ? url.password : access.secret;
    // A token alone: what forges show as the user does not matter to them, but some want one.
    if (user_.empty() && !secret_.empty()) user_ = access.username.empty() ? "git" : access.username;
  }

  void start() override {
    HttpRequest request = make_request(base_ + std::string(kRefs));
    request.follow_redirects = true;
    request.compressed = true;
    const HttpHead head = ask(std::move(request));
    const bool moved = head.url != base_ + std::string(kRefs);
    check_status(head, moved);
    if (moved) move_to(head.url);
    check_type(head, "application/x-git-upload-pack-advertisement");
  }

  void send(std::string_view bytes) override {
    HttpRequest request = make_request(base_ + "/git-upload-pack");
    request.method = "POST";
    request.body = std::string(bytes);
    request.fields = {"Content-Type: application/x-git-upload-pack-request",
                      "Accept: application/x-git-upload-pack-result"};
    const HttpHead head = ask(std::move(request));
    check_status(head, false);
    check_type(head, "application/x-git-upload-pack-result");
  }

  std::size_t read_some(char* buffer, std::size_t size) override {
    return transfer_->read_some(buffer, size);
  }
  bool is_stateless() const noexcept override { return true; }

 private:
  HttpRequest make_request(std::string url) const {
    HttpRequest request;
    request.url = std::move(url);
    request.user = user_;
    request.password = secret_;
    request.authorities = authorities_;
    // Some forges answer only to what calls itself git.
    request.agent = "git/2.39 (runner)";
    return request;
  }

  HttpHead ask(HttpRequest request) {
    transfer_.reset();  // gives its connection back
    transfer_.emplace(std::move(request), patience_);
    return transfer_->head();
  }

  /// As git does: what follows goes where the first request was led. Credentials stay behind.
  void move_to(const std::string& target) {
    const std::string shown = in_quotes(to_utf8(mask_urls(target)));
    if (!target.ends_with(kRefs)) {
      throw Error(ErrorCode::not_found, "the server redirects to " + shown +
                                            ", which is no git repository; check the path, or whether the "
                                            "server wants somebody to sign in");
    }
    const RemoteUrl next = parse_remote_url(target.substr(0, target.size() - kRefs.size()));
    base_ = base_of(next);
    if (next.scheme == url_.scheme && next.host == url_.host && next.port == url_.port) return;
    user_.clear();
    secret_.clear();
  }

  void check_type(const HttpHead& head, std::string_view wanted) const {
    if (head.content_type.starts_with(wanted)) return;
    const std::string what = in_quotes(to_utf8(head.content_type.substr(0, 100)));
    const bool page = head.content_type.starts_with("text/html");
    throw Error(ErrorCode::not_found,
                std::string(page ? "a page for browsers answers there, and no git repository"
                                 : "what answers there is no git repository") +
                    " (it sends " + what + "); check the path, most servers want it to end in '.git'" +
                    (page ? ", and whether the server wants somebody to sign in" : ""));
  }

  /// The begin of a plain text; pages for browsers are left out.
  std::string said(const HttpHead& head) {
    if (!head.content_type.starts_with("text/plain")) return {};
    std::array<char, kMostSaid> text{};
    std::size_t size = 0;
    try {
      for (std::size_t got = 1; size < text.size() && got != 0; size += got)
        got = transfer_->read_some(text.data() + size, text.size() - size);
    } catch (const Error& error) {
      if (error.code() == ErrorCode::cancelled) throw;  // else what came is enough
    }
    const std::string whole = strip_ansi(to_utf8({text.data(), size}));
    const std::string_view line = trim(split(whole, '\n').front());
    return line.empty() ? std::string() : " (" + mask_urls(line) + ")";
  }

  void check_status(const HttpHead& head, bool moved) {
    if (head.status == 200) return;
    const bool known = !user_.empty() || !secret_.empty();
    std::string answer = "the server answers " + std::to_string(head.status) + said(head);
    if (moved) answer += " after a redirect to " + in_quotes(to_utf8(mask_urls(head.url)));
    const auto fail = [&](ErrorCode code, const std::string& rest) { throw Error(code, answer + rest); };
    if (head.status == 401 && moved && known)
      fail(ErrorCode::invalid_input,
           ": credentials do not follow to another server; if it is the right one, make that the address");
    if (head.status == 401)
      fail(ErrorCode::invalid_input,
           known ? ": it refuses the user name or the token; check both, and whether the token has expired"
                 : ": it wants credentials; give the project a user name and a token");
    if (head.status == 403)
      fail(ErrorCode::invalid_input, ": reading this repository is not allowed; check what the token may do");
    if (head.status == 404 || head.status == 410)
      fail(ErrorCode::not_found,
           std::string(": there is no such repository, or it is hidden from ") +
               (known ? "this user; check the path and what the token may read"
                      : "strangers; check the path, or give the project a user name and a token"));
    if (head.status == 407)
      fail(ErrorCode::invalid_input,
           ": the proxy wants credentials; put them into the variable http_proxy or https_proxy");
    if (head.status == 429) {
      const std::string after = std::to_string(head.retry_after);
      fail(ErrorCode::unavailable,
           ": it is asked too often; ask it less often" +
               (head.retry_after > 0 ? ", the next time in " + after + " s" : std::string()));
    }
    if (head.status / 100 == 3)
      fail(ErrorCode::unavailable, ": it redirects a request that may not follow; check the address");
    fail(ErrorCode::unavailable, head.status >= 500 ? ": it is ill; look at its log, or try again later"
                                                    : ": it does not understand git; check the address");
  }

  RemoteUrl url_;
  std::string base_;  // where requests go, without credentials
  std::string user_, secret_;
  std::filesystem::path authorities_;
  Patience& patience_;
  std::optional<HttpTransfer> transfer_;
};

}  // namespace

std::unique_ptr<UploadPack> make_http_upload_pack(const RemoteUrl& url, const RemoteAccess& access,
                                                  Patience& patience) {
  return std::make_unique<HttpUploadPack>(url, access, patience);
}

}  // namespace runner::git
