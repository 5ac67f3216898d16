#include "runner/cli/api_client.h"

#include <curl/curl.h>

#include <cerrno>
#include <exception>
#include <utility>

#include "runner/base/curl_library.h"
#include "runner/base/error.h"
#include "runner/base/text.h"
#include "runner/cli/table.h"

namespace runner::cli {
namespace {

/// Those functions of libcurl that are used here.
struct Curl {
  decltype(&::curl_easy_cleanup) easy_cleanup = CurlSymbol{"curl_easy_cleanup"};
  decltype(&::curl_easy_getinfo) easy_getinfo = CurlSymbol{"curl_easy_getinfo"};
  decltype(&::curl_easy_init) easy_init = CurlSymbol{"curl_easy_init"};
  decltype(&::curl_easy_perform) easy_perform = CurlSymbol{"curl_easy_perform"};
  decltype(&::curl_easy_reset) easy_reset = CurlSymbol{"curl_easy_reset"};
  decltype(&::curl_easy_setopt) easy_setopt = CurlSymbol{"curl_easy_setopt"};
  decltype(&::curl_easy_strerror) easy_strerror = CurlSymbol{"curl_easy_strerror"};
  decltype(&::curl_global_init) global_init = CurlSymbol{"curl_global_init"};
  decltype(&::curl_slist_append) slist_append = CurlSymbol{"curl_slist_append"};
  decltype(&::curl_slist_free_all) slist_free_all = CurlSymbol{"curl_slist_free_all"};
};

const Curl& curl() {
  static const Curl loaded;
  return loaded;
}

struct ListFree {
  void operator()(curl_slist* list) const noexcept { curl().slist_free_all(list); }
};
using FieldList = std::unique_ptr<curl_slist, ListFree>;

void append(FieldList& list, const std::string& field) {
  curl_slist* grown = curl().slist_append(list.get(), field.c_str());
  if (grown == nullptr) throw Error(ErrorCode::unavailable, "no memory for a request");
  static_cast<void>(list.release());
  list.reset(grown);
}

/// What libcurl's callbacks work on; they are C and nothing may be thrown through them.
struct Exchange {
  CURL* easy = nullptr;
  ApiResponse* answer = nullptr;
  const ApiClient::Sink* sink = nullptr;  // null: all goes to answer->body
  bool handed_out = false, stopped = false, too_long = false;
  std::exception_ptr thrown;
};

bool is_success(const Exchange& exchange) {
  long status = 0;
  curl().easy_getinfo(exchange.easy, CURLINFO_RESPONSE_CODE, &status);
  return status >= 200 && status < 300;
}

std::size_t on_body(char* bytes, std::size_t, std::size_t count, void* context) noexcept {
  auto& exchange = *static_cast<Exchange*>(context);
  try {
    if (exchange.sink != nullptr && is_success(exchange)) {
      exchange.handed_out = true;
      if ((*exchange.sink)(std::string_view(bytes, count))) return count;
      exchange.stopped = true;
      return 0;
    }
    std::string& body = exchange.answer->body;
    exchange.too_long = body.size() + count > ApiClient::kMaxAnswer;
    if (exchange.too_long) return 0;
    body.append(bytes, count);
    return count;
  } catch (...) {
    exchange.thrown = std::current_exception();
    return 0;
  }
}

std::size_t on_header(char* bytes, std::size_t, std::size_t count, void* context) noexcept {
  auto& exchange = *static_cast<Exchange*>(context);
  try {
    const std::string_view line(bytes, count);
    // A status line: that of an answer such as 100 was not the last.
    if (line.starts_with("HTTP/")) {
      exchange.answer->content_type.clear();
      exchange.answer->retry_after.clear();
      exchange.answer->location.clear();
      return count;
    }
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) return count;
    const std::string name = to_lower(line.substr(0, colon));
    const std::string value(trim(line.substr(colon + 1)));
    if (name == "content-type") exchange.answer->content_type = value;
    if (name == "retry-after") exchange.answer->retry_after = value;
    if (name == "location") exchange.answer->location = value;
    return count;
  } catch (...) {
    exchange.thrown = std::current_exception();
    return 0;
  }
}

/// The connection went before there was an answer: on one that was kept open, most often because the server
/// had just closed it.
bool is_reset(CURLcode code) {
  return code == CURLE_RECV_ERROR || code == CURLE_SEND_ERROR || code == CURLE_GOT_NOTHING;
}

void initialise_once() {
  static const CURLcode code = curl().global_init(CURL_GLOBAL_DEFAULT);
  if (code != CURLE_OK) throw Error(ErrorCode::unavailable, "cannot start libcurl");
}

}  // namespace

struct ApiClient::Impl {
  ApiEndpoint endpoint;
  ApiTimeouts timeouts;
  CURL* easy = nullptr;
  char error[CURL_ERROR_SIZE] = {};

  /// An option that this libcurl has not is a build that would not do what we say.
  template <typename T>
  void set(CURLoption option, T value) const {
    const CURLcode code = curl().easy_setopt(easy, option, value);
    if (code == CURLE_OK) return;
    throw Error(ErrorCode::internal, std::string("libcurl: ") + curl().easy_strerror(code));
  }

  void prepare(std::string_view method, const std::string& url, FieldList& fields) {
    curl().easy_reset(easy);  // connections stay
    error[0] = '\0';
    set(CURLOPT_ERRORBUFFER, &error[0]);
    set(CURLOPT_URL, url.c_str());
    set(CURLOPT_CUSTOMREQUEST, std::string(method).c_str());
    set(CURLOPT_NOSIGNAL, 1L);
    set(CURLOPT_PROTOCOLS_STR, "http,https");
    set(CURLOPT_FOLLOWLOCATION, 0L);
    set(CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    set(CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(timeouts.connect.count()));
    set(CURLOPT_USERAGENT, "runner");
    if (!endpoint.socket.empty()) {
      set(CURLOPT_UNIX_SOCKET_PATH, endpoint.socket.c_str());
      set(CURLOPT_PROXY, "");
    }
    if (!endpoint.ca_file.empty()) set(CURLOPT_CAINFO, endpoint.ca_file.c_str());
    if (!endpoint.token.empty()) append(fields, "Authorization: Bearer " + endpoint.token);
    append(fields, "Expect:");
    set(CURLOPT_HTTPHEADER, fields.get());
  }

  CURLcode perform(Exchange& exchange) {
    exchange.easy = easy;
    set(CURLOPT_WRITEFUNCTION, &on_body);
    set(CURLOPT_WRITEDATA, &exchange);
    set(CURLOPT_HEADERFUNCTION, &on_header);
    set(CURLOPT_HEADERDATA, &exchange);
    const CURLcode code = curl().easy_perform(easy);
    if (exchange.thrown) std::rethrow_exception(exchange.thrown);
    long status = 0;
    curl().easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    exchange.answer->status = static_cast<int>(status);
    return code;
  }

  int system_error() const {
    long number = 0;
    curl().easy_getinfo(easy, CURLINFO_OS_ERRNO, &number);
    return static_cast<int>(number);
  }

  [[noreturn]] void fail(CURLcode code, const Exchange& exchange) const {
    const std::string cause = printable(error[0] != '\0' ? &error[0] : curl().easy_strerror(code));
    if (exchange.too_long)
      throw Error(ErrorCode::corrupt, "the answer of " + in_quotes(endpoint.shown) + " is longer than " +
                                          format_bytes(kMaxAnswer));
    switch (code) {
      case CURLE_COULDNT_CONNECT:
      case CURLE_COULDNT_RESOLVE_HOST:
        if (!endpoint.socket.empty() && system_error() == EACCES)
          throw Error(ErrorCode::unavailable,
                      "this user may not use " + in_quotes(endpoint.shown) +
                          ": ask as root or as the user the server runs as, or name it with --server");
        if (!endpoint.socket.empty())
          throw Error(ErrorCode::unavailable,
                      "no server answers at " + in_quotes(endpoint.shown) +
                          ": start it with `runner serve`, or name one with --server");
        throw Error(ErrorCode::unavailable,
                    "no server answers at " + in_quotes(endpoint.shown) + ": " + cause);
      case CURLE_OPERATION_TIMEDOUT:
        throw Error(ErrorCode::timeout, in_quotes(endpoint.shown) + " does not answer: " + cause);
      case CURLE_PEER_FAILED_VERIFICATION:
      case CURLE_SSL_CACERT_BADFILE:
        throw Error(ErrorCode::unavailable, "the certificate of " + in_quotes(endpoint.shown) +
                                                " is not trusted: " + cause +
                                                "; name the file of its authority in RUNNER_CA_FILE");
      case CURLE_UNSUPPORTED_PROTOCOL:
      case CURLE_WEIRD_SERVER_REPLY:
        throw Error(ErrorCode::corrupt, in_quotes(endpoint.shown) + " speaks no HTTP: " + cause);
      default:
        throw Error(ErrorCode::unavailable,
                    "cannot talk to the server at " + in_quotes(endpoint.shown) + ": " + cause);
    }
  }
};

ApiClient::ApiClient(ApiEndpoint endpoint, ApiTimeouts timeouts) : impl_(std::make_unique<Impl>()) {
  initialise_once();
  impl_->endpoint = std::move(endpoint);
  impl_->timeouts = timeouts;
  impl_->easy = curl().easy_init();
  if (impl_->easy == nullptr) throw Error(ErrorCode::unavailable, "cannot start libcurl");
}

ApiClient::~ApiClient() {
  if (impl_->easy != nullptr) curl().easy_cleanup(impl_->easy);
}

const ApiEndpoint& ApiClient::endpoint() const {
  return impl_->endpoint;
}

ApiResponse ApiClient::call(std::string_view method, std::string_view path, std::string_view json) {
  const std::string url = impl_->endpoint.base() + std::string(path);
  const int tries = method == "GET" ? 2 : 1;
  for (int left = tries;; --left) {
    FieldList fields;
    append(fields, "Accept: application/json");
    if (!json.empty()) append(fields, "Content-Type: application/json");
    impl_->prepare(method, url, fields);
    impl_->set(CURLOPT_TIMEOUT_MS, static_cast<long>(impl_->timeouts.call.count()));
    if (!json.empty()) {
      impl_->set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(json.size()));
      impl_->set(CURLOPT_COPYPOSTFIELDS, json.data());
    } else if (method == "POST") {
      impl_->set(CURLOPT_POSTFIELDS, "");
    }
    ApiResponse answer;
    Exchange exchange;
    exchange.answer = &answer;
    const CURLcode code = impl_->perform(exchange);
    if (code == CURLE_OK) return answer;
    if (left > 1 && is_reset(code) && answer.status == 0) continue;
    impl_->fail(code, exchange);
  }
}

StreamEnd ApiClient::stream(std::string_view path, const Fields& fields, const Sink& sink,
                            ApiResponse& answer) {
  FieldList list;
  for (const auto& [name, value] : fields) append(list, name + ": " + value);
  const std::string url = impl_->endpoint.base() + std::string(path);
  impl_->prepare("GET", url, list);
  // libcurl counts in whole seconds.
  const auto silence = std::chrono::ceil<std::chrono::seconds>(impl_->timeouts.silence);
  impl_->set(CURLOPT_LOW_SPEED_LIMIT, 1L);
  impl_->set(CURLOPT_LOW_SPEED_TIME, static_cast<long>(silence.count()));
  answer = {};
  Exchange exchange;
  exchange.answer = &answer;
  exchange.sink = &sink;
  const CURLcode code = impl_->perform(exchange);
  if (code == CURLE_OK) return StreamEnd::complete;
  if (exchange.stopped) return StreamEnd::stopped;
  if (exchange.handed_out || (is_success(exchange) && !exchange.too_long)) return StreamEnd::broken;
  impl_->fail(code, exchange);
}

std::string url_encode(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  constexpr std::string_view kPlain = "-._~";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (letter || kPlain.find(c) != std::string_view::npos) {
      out += c;
    } else {
      out += '%';
      out += kDigits[byte >> 4U];
      out += kDigits[byte & 15U];
    }
  }
  return out;
}

}  // namespace runner::cli
