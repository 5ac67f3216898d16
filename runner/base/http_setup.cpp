#include "runner/base/http_setup.h"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <climits>
#include <cstdlib>

#include "runner/base/curl_library.h"
#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner {
namespace {

constexpr long kMostRedirects = 5;
constexpr std::array<std::string_view, 6> kMethods = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};

struct Curl {
  decltype(&::curl_easy_setopt) easy_setopt = CurlSymbol{"curl_easy_setopt"};
  decltype(&::curl_easy_strerror) easy_strerror = CurlSymbol{"curl_easy_strerror"};
  decltype(&::curl_slist_append) slist_append = CurlSymbol{"curl_slist_append"};
  decltype(&::curl_slist_free_all) slist_free_all = CurlSymbol{"curl_slist_free_all"};
};

const Curl& curl() {
  static const Curl loaded;
  return loaded;
}

const char* from_environment(const char* variable) {
  const char* value = std::getenv(variable);
  return value != nullptr && *value != '\0' ? value : nullptr;
}

template <typename Value>
void set(CURL* easy, CURLoption option, Value value) {
  const CURLcode taken_as = curl().easy_setopt(easy, option, value);
  if (taken_as != CURLE_OK)
    throw Error(ErrorCode::internal,
                std::string("cannot set up a transfer: ") + curl().easy_strerror(taken_as));
}

void free_lines(void* lines) {
  curl().slist_free_all(static_cast<curl_slist*>(lines));
}

void add_line(HttpLines& lines, const char* line) {
  curl_slist* longer = curl().slist_append(static_cast<curl_slist*>(lines.get()), line);
  if (longer == nullptr) throw Error(ErrorCode::unavailable, "cannot start a transfer: out of memory");
  static_cast<void>(lines.release());
  lines.reset(longer);
}

[[noreturn]] void refuse(const std::string& why) {
  throw Error(ErrorCode::internal, "cannot set up a transfer: " + why);
}

bool has_line_end(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos;
}

bool is_content_type(std::string_view field) {
  return to_lower(field.substr(0, 13)) == "content-type:";
}

void check(const HttpRequest& request) {
  if (std::find(kMethods.begin(), kMethods.end(), request.method) == kMethods.end())
    refuse("there is no method " + in_quotes(request.method));
  const bool asks_only = request.method == "GET" || request.method == "HEAD";
  if (asks_only && (request.source.read || !request.body.empty())) refuse("what only asks has no body");
  if (!asks_only && request.follow_redirects) refuse("what changes something follows no redirects");
  if (std::any_of(request.fields.begin(), request.fields.end(), has_line_end) || has_line_end(request.url))
    refuse("a field or the address holds an end of a line");
}

void set_trust(CURL* easy, const HttpRequest& request) {
  set(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (request.insecure) {
    set(easy, CURLOPT_SSL_VERIFYPEER, 0L);
    set(easy, CURLOPT_SSL_VERIFYHOST, 0L);
    return;
  }
  if (!request.authorities.empty()) {
    set(easy, CURLOPT_CAINFO, request.authorities.c_str());
    set(easy, CURLOPT_CAPATH, static_cast<const char*>(nullptr));
    return;
  }
  const char* file = from_environment("GIT_SSL_CAINFO");
  if (file == nullptr) file = from_environment("SSL_CERT_FILE");
  if (file != nullptr) set(easy, CURLOPT_CAINFO, file);
  if (const char* directory = from_environment("SSL_CERT_DIR")) set(easy, CURLOPT_CAPATH, directory);
}

void set_method(CURL* easy, const HttpRequest& request, HttpLines& lines) {
  if (request.method == "GET") return;
  if (request.method == "HEAD") return set(easy, CURLOPT_NOBODY, 1L);
  if (request.source.read) {
    set(easy, CURLOPT_UPLOAD, 1L);
    set(easy, CURLOPT_INFILESIZE_LARGE,
        request.source.size ? static_cast<curl_off_t>(*request.source.size) : curl_off_t{-1});
  } else {
    set(easy, CURLOPT_POST, 1L);
    set(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    set(easy, CURLOPT_POSTFIELDS, request.body.c_str());
  }
  // After CURLOPT_POST and CURLOPT_UPLOAD, which choose one themselves.
  set(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  add_line(lines, "Expect:");  // else a second is lost to servers that do not know it
  // libcurl would call it a form.
  if (std::none_of(request.fields.begin(), request.fields.end(), is_content_type))
    add_line(lines, "Content-Type:");
}

}  // namespace

HttpLines set_up_http(void* easy, const HttpRequest& request, const Waits& waits) {
  check(request);
  HttpLines lines(nullptr, &free_lines);
  set(easy, CURLOPT_URL, request.url.c_str());
  set(easy, CURLOPT_NOSIGNAL, 1L);
  set(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  set(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  set(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  set(easy, CURLOPT_USERAGENT, request.agent.c_str());
  // To libcurl 0 is five minutes; the longest it takes is 24 days.
  const auto connect = waits.connect.count() == 0 ? INT_MAX : waits.connect.count();
  set(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(std::clamp<std::int64_t>(connect, 1, INT_MAX)));
  // A look-up of a name cannot be broken off; a transfer that ends need not wait for it. Since 7.87.
  curl().easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
  if (!request.unix_socket.empty()) {
    set(easy, CURLOPT_UNIX_SOCKET_PATH, request.unix_socket.c_str());
    set(easy, CURLOPT_PROXY, "");
  }
  const bool secure = request.url.starts_with("https:");
  set(easy, CURLOPT_PROTOCOLS_STR, secure ? "https" : "http,https");
  set(easy, CURLOPT_REDIR_PROTOCOLS_STR, secure ? "https" : "http,https");
  set(easy, CURLOPT_FOLLOWLOCATION, request.follow_redirects ? 1L : 0L);
  set(easy, CURLOPT_MAXREDIRS, kMostRedirects);
  if (request.compressed) set(easy, CURLOPT_ACCEPT_ENCODING, "gzip, deflate");
  set_trust(easy, request);
  if (!request.user.empty() || !request.password.empty()) {
    set(easy, CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
    set(easy, CURLOPT_USERNAME, request.user.c_str());
    set(easy, CURLOPT_PASSWORD, request.password.c_str());
  }
  set_method(easy, request, lines);
  for (const std::string& field : request.fields) add_line(lines, field.c_str());
  set(easy, CURLOPT_HTTPHEADER, static_cast<curl_slist*>(lines.get()));
  return lines;
}

}  // namespace runner
