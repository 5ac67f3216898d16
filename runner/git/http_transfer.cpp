#include "runner/git/http_transfer.h"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>
#include <utility>

#include "runner/base/curl_library.h"
#include "runner/base/error.h"
#include "runner/base/text.h"
#include "runner/git/http_failure.h"

namespace runner::git {
namespace {

constexpr long kMostRedirects = 5;
constexpr long kKeptConnections = 8;  // of a thread
constexpr std::size_t kLongestHead = 256U << 10U;
constexpr int kLastWaitMs = 50;  // for an answer's end, so that its connection can be kept

struct Curl {
  decltype(&::curl_global_init) global_init = CurlSymbol{"curl_global_init"};
  decltype(&::curl_easy_init) easy_init = CurlSymbol{"curl_easy_init"};
  decltype(&::curl_easy_setopt) easy_setopt = CurlSymbol{"curl_easy_setopt"};
  decltype(&::curl_easy_getinfo) easy_getinfo = CurlSymbol{"curl_easy_getinfo"};
  decltype(&::curl_easy_cleanup) easy_cleanup = CurlSymbol{"curl_easy_cleanup"};
  decltype(&::curl_easy_strerror) easy_strerror = CurlSymbol{"curl_easy_strerror"};
  decltype(&::curl_slist_append) slist_append = CurlSymbol{"curl_slist_append"};
  decltype(&::curl_slist_free_all) slist_free_all = CurlSymbol{"curl_slist_free_all"};
  decltype(&::curl_multi_init) multi_init = CurlSymbol{"curl_multi_init"};
  decltype(&::curl_multi_setopt) multi_setopt = CurlSymbol{"curl_multi_setopt"};
  decltype(&::curl_multi_cleanup) multi_cleanup = CurlSymbol{"curl_multi_cleanup"};
  decltype(&::curl_multi_add_handle) multi_add_handle = CurlSymbol{"curl_multi_add_handle"};
  decltype(&::curl_multi_remove_handle) multi_remove_handle = CurlSymbol{"curl_multi_remove_handle"};
  decltype(&::curl_multi_perform) multi_perform = CurlSymbol{"curl_multi_perform"};
  decltype(&::curl_multi_poll) multi_poll = CurlSymbol{"curl_multi_poll"};
  decltype(&::curl_multi_wakeup) multi_wakeup = CurlSymbol{"curl_multi_wakeup"};
  decltype(&::curl_multi_info_read) multi_info_read = CurlSymbol{"curl_multi_info_read"};
  CURLcode started = global_init(CURL_GLOBAL_DEFAULT);
};

const Curl& curl() {
  static const Curl loaded;
  if (loaded.started != CURLE_OK) refuse_curl("it does not start");
  return loaded;
}

/// The transfers and the kept connections of a thread.
class ThreadMulti {
 public:
  ThreadMulti() : curl_(curl()), multi_(curl_.multi_init()) {
    if (multi_ == nullptr) throw Error(ErrorCode::unavailable, "cannot start a transfer: out of memory");
    curl_.multi_setopt(multi_, CURLMOPT_MAXCONNECTS, kKeptConnections);
  }
  ~ThreadMulti() { curl_.multi_cleanup(multi_); }
  ThreadMulti(const ThreadMulti&) = delete;
  ThreadMulti& operator=(const ThreadMulti&) = delete;
  CURLM* get() const noexcept { return multi_; }

 private:
  const Curl& curl_;
  CURLM* multi_;
};

CURLM* thread_multi() {
  thread_local const ThreadMulti own;
  return own.get();
}

const char* from_environment(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0' ? value : nullptr;
}

}  // namespace

struct HttpTransfer::Impl {
  Impl(HttpRequest asked, Patience& how_long)
      : request(std::move(asked)),
        patience(how_long),
        lib(curl()),
        multi(thread_multi()),
        easy(lib.easy_init()) {
    if (easy == nullptr) throw Error(ErrorCode::unavailable, "cannot start a transfer: out of memory");
  }
  ~Impl() {
    lib.multi_remove_handle(multi, easy);
    lib.easy_cleanup(easy);
    lib.slist_free_all(fields);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  template <typename Value>
  void set(CURLoption option, Value value) const {
    const CURLcode taken_as = lib.easy_setopt(easy, option, value);
    if (taken_as != CURLE_OK)
      throw Error(ErrorCode::internal,
                  std::string("cannot set up a transfer: ") + lib.easy_strerror(taken_as));
  }

  void set_up() {
    set(CURLOPT_URL, request.url.c_str());
    set(CURLOPT_PRIVATE, this);
    set(CURLOPT_ERRORBUFFER, said.data());
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    set(CURLOPT_TCP_KEEPALIVE, 1L);
    set(CURLOPT_USERAGENT, request.agent.c_str());
    set(CURLOPT_CONNECTTIMEOUT_MS, std::max(1L, static_cast<long>(patience.limits().connect.count())));
    set(CURLOPT_WRITEFUNCTION, &Impl::on_body);
    set(CURLOPT_WRITEDATA, this);
    set(CURLOPT_HEADERFUNCTION, &Impl::on_header);
    set(CURLOPT_HEADERDATA, this);
    // A look-up of a name cannot be broken off; a transfer that ends need not wait for it. Since 7.87.
    lib.easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
    const bool secure = request.url.starts_with("https:");
    set(CURLOPT_PROTOCOLS_STR, secure ? "https" : "http,https");
    set(CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https");
    set(CURLOPT_FOLLOWLOCATION, request.follow_redirects ? 1L : 0L);
    set(CURLOPT_MAXREDIRS, kMostRedirects);
    if (request.compressed) set(CURLOPT_ACCEPT_ENCODING, "gzip, deflate");
    trust();
    if (!request.user.empty() || !request.password.empty()) {
      set(CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
      set(CURLOPT_USERNAME, request.user.c_str());
      set(CURLOPT_PASSWORD, request.password.c_str());
    }
    if (request.post) {
      set(CURLOPT_POST, 1L);
      set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
      set(CURLOPT_POSTFIELDS, request.body.c_str());
      add_field("Expect:");  // else a second is lost to servers that do not know it
    }
    for (const std::string& field : request.fields) add_field(field.c_str());
    set(CURLOPT_HTTPHEADER, fields);
    if (lib.multi_add_handle(multi, easy) != CURLM_OK)
      throw Error(ErrorCode::internal, "cannot set up a transfer: it is not taken");
  }

  void add_field(const char* field) {
    curl_slist* longer = lib.slist_append(fields, field);
    if (longer == nullptr) throw Error(ErrorCode::unavailable, "cannot start a transfer: out of memory");
    fields = longer;
  }

  void trust() const {
    set(CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    if (!request.authorities.empty()) {
      set(CURLOPT_CAINFO, request.authorities.c_str());
      set(CURLOPT_CAPATH, static_cast<const char*>(nullptr));
      return;
    }
    const char* file = from_environment("GIT_SSL_CAINFO");
    if (file == nullptr) file = from_environment("SSL_CERT_FILE");
    if (file != nullptr) set(CURLOPT_CAINFO, file);
    if (const char* directory = from_environment("SSL_CERT_DIR")) set(CURLOPT_CAPATH, directory);
  }

  /// Until something can be read or the answer has ended; `briefly`: for a moment at most.
  void drive(bool briefly) {
    patience.restart();
    for (int turn = 0; pending.empty() && !result; ++turn) {
      int running = 0;
      lib.multi_perform(multi, &running);
      take_ends();
      if (!pending.empty() || result || (briefly && turn == 1)) return;
      curl_off_t sent = 0;
      lib.easy_getinfo(easy, CURLINFO_SIZE_UPLOAD_T, &sent);
      if (std::exchange(sent_before, sent) != sent) patience.restart();
      const int left = patience.left();
      lib.multi_poll(multi, nullptr, 0, briefly ? std::min(left, kLastWaitMs) : left, nullptr);
    }
  }

  /// Ends of all transfers of this thread.
  void take_ends() const {
    int more = 0;
    while (const CURLMsg* message = lib.multi_info_read(multi, &more)) {
      Impl* ended = nullptr;
      lib.easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &ended);
      if (ended != nullptr && message->msg == CURLMSG_DONE) ended->result = message->data.result;
    }
  }

  [[noreturn]] void fail() const {
    if (too_long)
      throw Error(ErrorCode::invalid_input, "the server sends more than " +
                                                format_bytes(request.most_pending) +
                                                ", the limit; raise it, or have refs removed there");
    const char* reason = said[0] != '\0' ? said.data() : lib.easy_strerror(*result);
    throw_http_failure(*result, to_utf8(reason), patience.limits());
  }

  static std::size_t on_body(char* bytes, std::size_t, std::size_t size, void* self) {
    auto& own = *static_cast<Impl*>(self);
    own.patience.restart();
    if (own.pending.size() + size > own.request.most_pending) {
      own.too_long = true;
      return 0;
    }
    own.pending.append(bytes, size);
    return size;
  }
  static std::size_t on_header(char* bytes, std::size_t, std::size_t size, void* self) {
    auto& own = *static_cast<Impl*>(self);
    own.patience.restart();
    own.head_bytes += size;
    if (own.head_bytes > kLongestHead) return 0;
    const std::string_view line(bytes, size);
    const std::size_t colon = line.find(':');
    if (line.starts_with("HTTP/")) {
      own.received.clear();  // of an answer before this one, which led here
    } else if (colon != std::string_view::npos) {
      own.received[to_lower(line.substr(0, colon))] = trim(line.substr(colon + 1));
    }
    return size;
  }

  HttpRequest request;
  Patience& patience;
  const Curl& lib;
  CURLM* multi;
  CURL* easy;
  curl_slist* fields = nullptr;
  std::array<char, CURL_ERROR_SIZE> said{};
  std::map<std::string, std::string> received;  // fields of the head
  std::string pending;                          // what came and was not read yet, from `taken` on
  std::size_t taken = 0, head_bytes = 0;
  bool too_long = false;
  curl_off_t sent_before = 0;
  std::optional<CURLcode> result;
};

HttpTransfer::HttpTransfer(HttpRequest request, Patience& patience)
    : impl_(std::make_unique<Impl>(std::move(request), patience)) {
  impl_->set_up();
}

HttpTransfer::~HttpTransfer() {
  // Most often only the mark of the end is missing.
  try {
    if (!impl_->result && impl_->taken == impl_->pending.size()) {
      impl_->pending.clear();
      impl_->drive(true);
    }
  } catch (const Error&) {
    // Then the connection is closed.
  }
}

HttpHead HttpTransfer::head() {
  // Woken from any thread; registered while somebody waits only, as the handle is this thread's.
  const std::stop_callback wake(impl_->patience.stop(), [this] { impl_->lib.multi_wakeup(impl_->multi); });
  impl_->drive(false);
  if (impl_->pending.empty() && *impl_->result != CURLE_OK) impl_->fail();
  HttpHead head;
  const char* type = nullptr;
  const char* url = nullptr;
  curl_off_t retry = 0;
  impl_->lib.easy_getinfo(impl_->easy, CURLINFO_RESPONSE_CODE, &head.status);
  impl_->lib.easy_getinfo(impl_->easy, CURLINFO_CONTENT_TYPE, &type);
  impl_->lib.easy_getinfo(impl_->easy, CURLINFO_EFFECTIVE_URL, &url);
  impl_->lib.easy_getinfo(impl_->easy, CURLINFO_RETRY_AFTER, &retry);
  if (type != nullptr) head.content_type = to_lower(type);
  if (url != nullptr) head.url = url;
  head.retry_after = static_cast<long>(retry);
  head.fields = impl_->received;
  return head;
}

std::size_t HttpTransfer::read_some(char* buffer, std::size_t size) {
  Impl& own = *impl_;
  if (own.taken == own.pending.size()) {
    own.pending.clear();
    own.taken = 0;
    const std::stop_callback wake(own.patience.stop(), [&own] { own.lib.multi_wakeup(own.multi); });
    own.drive(false);
    if (own.pending.empty() && *own.result != CURLE_OK) own.fail();
  }
  const std::size_t count = std::min(size, own.pending.size() - own.taken);
  std::copy_n(own.pending.data() + own.taken, count, buffer);
  own.taken += count;
  return count;
}

}  // namespace runner::git
