#pragma once
// What libcurl is told of a request. Internal to this folder.

#include <memory>

#include "runner/base/http_transfer.h"

namespace runner {

/// The lines of a request's head as libcurl keeps them (a curl_slist).
using HttpLines = std::unique_ptr<void, void (*)(void*)>;

/// Sets whatever follows from the request; `easy` is a CURL*. What it returns and `request` must live as long
/// as the transfer. Throws Error.
HttpLines set_up_http(void* easy, const HttpRequest& request, const Waits& waits);

}  // namespace runner
