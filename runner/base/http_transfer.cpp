#include "runner/base/http_transfer.h"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <exception>
#include <optional>
#include <utility>

#include "runner/base/curl_library.h"
#include "runner/base/error.h"
#include "runner/base/http_failure.h"
#include "runner/base/http_setup.h"
#include "runner/base/text.h"

namespace runner {
namespace {

constexpr long kKeptConnections = 8;  // of a thread
constexpr std::size_t kLongestHead = 256U << 10U;
constexpr std::size_t kMostPending = 1U << 20U;  // of an answer that nobody reads yet
constexpr int kLastWaitMs = 50;                  // for an answer's end, so that its connection can be kept

struct Curl {
  decltype(&::curl_global_init) global_init = CurlSymbol{"curl_global_init"};
  decltype(&::curl_easy_init) easy_init = CurlSymbol{"curl_easy_init"};
  decltype(&::curl_easy_setopt) easy_setopt = CurlSymbol{"curl_easy_setopt"};
  decltype(&::curl_easy_getinfo) easy_getinfo = CurlSymbol{"curl_easy_getinfo"};
  decltype(&::curl_easy_cleanup) easy_cleanup = CurlSymbol{"curl_easy_cleanup"};
  decltype(&::curl_easy_strerror) easy_strerror = CurlSymbol{"curl_easy_strerror"};
  decltype(&::curl_easy_pause) easy_pause = CurlSymbol{"curl_easy_pause"};
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
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  template <typename Value>
  void set(CURLoption option, Value value) const {
    if (lib.easy_setopt(easy, option, value) != CURLE_OK)
      throw Error(ErrorCode::internal, "cannot set up a transfer: a call-back is not taken");
  }

  void set_up() {
    lines = set_up_http(easy, request, patience.waits());
    set(CURLOPT_PRIVATE, this);
    set(CURLOPT_ERRORBUFFER, said.data());
    set(CURLOPT_WRITEFUNCTION, &Impl::on_body);
    set(CURLOPT_WRITEDATA, this);
    set(CURLOPT_HEADERFUNCTION, &Impl::on_header);
    set(CURLOPT_HEADERDATA, this);
    if (request.source.read) {
      set(CURLOPT_READFUNCTION, &Impl::on_send);
      set(CURLOPT_READDATA, this);
      if (request.source.rewind) {
        set(CURLOPT_SEEKFUNCTION, &Impl::on_rewind);
        set(CURLOPT_SEEKDATA, this);
      }
    }
    if (lib.multi_add_handle(multi, easy) != CURLM_OK)
      throw Error(ErrorCode::internal, "cannot set up a transfer: it is not taken");
  }

  /// Until the head is there (`for_head`), or something can be read, or the answer has ended; `briefly`: for
  /// a moment at most. Woken from any thread; registered while somebody waits only, as the handle is this
  /// thread's.
  void drive(bool for_head, bool briefly = false) {
    const std::stop_callback wake(patience.stop(), [this] { lib.multi_wakeup(multi); });
    patience.restart();
    const auto is_done = [&] { return (for_head && has_head) || !pending.empty() || result; };
    for (int turn = 0; !is_done(); ++turn) {
      // What was held back comes from within this call.
      if (std::exchange(is_held, false)) lib.easy_pause(easy, CURLPAUSE_CONT);
      int running = 0;
      lib.multi_perform(multi, &running);
      take_ends();
      if (is_done() || (briefly && turn == 1)) return;
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
    if (thrown) std::rethrow_exception(thrown);
    const char* reason = said[0] != '\0' ? said.data() : lib.easy_strerror(*result);
    throw_http_failure(*result, to_utf8(reason), patience.waits());
  }

  static std::size_t on_body(char* bytes, std::size_t, std::size_t size, void* self) {
    auto& own = *static_cast<Impl*>(self);
    own.patience.restart();
    if (own.pending.size() >= kMostPending) {
      own.is_held = true;
      return CURL_WRITEFUNC_PAUSE;
    }
    own.pending.append(bytes, size);
    return size;
  }

  static std::size_t on_header(char* bytes, std::size_t, std::size_t size, void* self) {
    auto& own = *static_cast<Impl*>(self);
    own.patience.restart();
    own.head_bytes += size;
    if (own.head_bytes > kLongestHead) return 0;
    if (!own.has_head) own.take_line({bytes, size});  // else it follows the body
    return size;
  }

  void take_line(std::string_view line) {
    const std::size_t colon = line.find(':');
    if (line.starts_with("HTTP/")) {
      received = {};  // of an answer before this one, which led here
    } else if (trim(line).empty()) {
      lib.easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &received.status);
      const bool leads_on = received.status / 100 == 3 && received.fields.count("location") != 0;
      has_head = received.status >= 200 && !(request.follow_redirects && leads_on);
    } else if (colon != std::string_view::npos) {
      const std::string name = to_lower(line.substr(0, colon));
      received.fields[name] = trim(line.substr(colon + 1));
      if (name == "www-authenticate") received.challenges.push_back(received.fields[name]);
    }
  }

  /// No exception may cross libcurl.
  template <typename Body>
  bool guarded(Body body) noexcept {
    try {
      body();
      return true;
    } catch (...) {
      thrown = std::current_exception();
      return false;
    }
  }

  static std::size_t on_send(char* buffer, std::size_t, std::size_t size, void* self) {
    auto& own = *static_cast<Impl*>(self);
    std::size_t given = 0;
    const bool went_well = own.guarded([&] {
      const std::optional<std::uint64_t>& whole = own.request.source.size;
      if (whole) size = static_cast<std::size_t>(std::min<std::uint64_t>(size, *whole - own.given));
      given = size == 0 ? 0 : own.request.source.read(buffer, size);
      own.given += given;
      if (given == 0 && whole && own.given < *whole) {
        throw Error(ErrorCode::corrupt, "what is sent ended after " + std::to_string(own.given) + " of " +
                                            std::to_string(*whole) +
                                            " bytes; it was changed meanwhile, try again");
      }
    });
    own.patience.restart();
    return went_well ? given : CURL_READFUNC_ABORT;
  }

  static int on_rewind(void* self, curl_off_t offset, int origin) {
    auto& own = *static_cast<Impl*>(self);
    if (offset != 0 || origin != SEEK_SET) return CURL_SEEKFUNC_CANTSEEK;
    own.given = 0;
    return own.guarded(own.request.source.rewind) ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
  }

  HttpRequest request;
  Patience& patience;
  const Curl& lib;
  CURLM* multi;
  CURL* easy;
  HttpLines lines{nullptr, [](void*) {}};
  std::array<char, CURL_ERROR_SIZE> said{};
  HttpHead received;
  std::string pending;  // what came and was not read yet, from `taken` on
  std::size_t taken = 0, head_bytes = 0;
  bool has_head = false, is_held = false;
  std::uint64_t given = 0;    // of the source
  std::exception_ptr thrown;  // by the source
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
      impl_->drive(false, true);
    }
  } catch (const Error&) {
    // Then the connection is closed.
  }
}

HttpHead HttpTransfer::head() {
  Impl& own = *impl_;
  own.drive(true);
  if (!own.has_head && own.pending.empty() && *own.result != CURLE_OK) own.fail();
  HttpHead head = own.received;
  const char* type = nullptr;
  const char* url = nullptr;
  curl_off_t retry = 0;
  own.lib.easy_getinfo(own.easy, CURLINFO_RESPONSE_CODE, &head.status);
  own.lib.easy_getinfo(own.easy, CURLINFO_CONTENT_TYPE, &type);
  own.lib.easy_getinfo(own.easy, CURLINFO_EFFECTIVE_URL, &url);
  own.lib.easy_getinfo(own.easy, CURLINFO_RETRY_AFTER, &retry);
  if (type != nullptr) head.content_type = to_lower(type);
  if (url != nullptr) head.url = url;
  head.retry_after = static_cast<long>(retry);
  return head;
}

std::size_t HttpTransfer::read_some(char* buffer, std::size_t size) {
  Impl& own = *impl_;
  if (own.taken == own.pending.size()) {
    own.pending.clear();
    own.taken = 0;
    own.drive(false);
    if (own.pending.empty() && *own.result != CURLE_OK) own.fail();
  }
  const std::size_t count = std::min(size, own.pending.size() - own.taken);
  std::copy_n(own.pending.data() + own.taken, count, buffer);
  own.taken += count;
  return count;
}

}  // namespace runner
