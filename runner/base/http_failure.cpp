#include "runner/base/http_failure.h"

#include <curl/curl.h>

#include <algorithm>
#include <iterator>

#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner {
namespace {

struct Meaning {
  CURLcode code;
  ErrorCode as;
  const char* what;
  const char* mend;
};

constexpr const char* kCheckNetwork = "check the address and the network";
constexpr const char* kCheckPort = "check the address and the port";

constexpr Meaning kMeanings[] = {
    {CURLE_COULDNT_RESOLVE_HOST, ErrorCode::unavailable, "the host cannot be found",
     "check the address and the name service"},
    {CURLE_COULDNT_RESOLVE_PROXY, ErrorCode::unavailable, "the proxy cannot be found",
     "check the variables http_proxy and https_proxy"},
    {CURLE_COULDNT_CONNECT, ErrorCode::unavailable, "the server cannot be reached", kCheckNetwork},
    {CURLE_PEER_FAILED_VERIFICATION, ErrorCode::invalid_input, "the server's certificate is not trusted",
     "name the file of the certificate authority that signed it, or have it renewed; the address must use a "
     "name that is in it"},
    {CURLE_SSL_CACERT_BADFILE, ErrorCode::invalid_input, "the certificate authorities cannot be read",
     "it must be a PEM file that we may read"},
    {CURLE_SSL_CONNECT_ERROR, ErrorCode::unavailable, "the server does not speak TLS with us",
     "check the port, and that the server knows TLS 1.2"},
    {CURLE_TOO_MANY_REDIRECTS, ErrorCode::unavailable, "the server redirects again and again",
     "check the address and the server's set-up"},
    {CURLE_UNSUPPORTED_PROTOCOL, ErrorCode::unavailable, "what answers speaks no HTTP, or leads away from it",
     kCheckPort},
    {CURLE_WEIRD_SERVER_REPLY, ErrorCode::unavailable, "what answers speaks no HTTP", kCheckPort},
    {CURLE_WRITE_ERROR, ErrorCode::unavailable, "the head of the answer has no end", kCheckPort},
    {CURLE_SEND_FAIL_REWIND, ErrorCode::unavailable, "the connection broke while the request was sent",
     "it may be tried again, look at the network and the server's log"},
    {CURLE_URL_MALFORMAT, ErrorCode::invalid_input, "that is no address", "check how it is written"},
};

}  // namespace

void throw_http_failure(int code, const std::string& reason, const Waits& waits) {
  if (code == CURLE_OPERATION_TIMEDOUT) {
    throw Error(ErrorCode::timeout,
                "there was no connection within " + format_duration(waits.connect) + "; " + kCheckNetwork);
  }
  const auto* found = std::find_if(std::begin(kMeanings), std::end(kMeanings),
                                   [&](const Meaning& meaning) { return meaning.code == code; });
  if (found == std::end(kMeanings)) {
    throw Error(ErrorCode::unavailable,
                "the connection broke in the middle of its answer (" + reason +
                    "); it may be tried again, look at the network and the server's log");
  }
  throw Error(found->as, std::string(found->what) + " (" + reason + "); " + found->mend);
}

}  // namespace runner
