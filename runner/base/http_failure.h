#pragma once
// What the ends of transfers mean. Internal to this folder. Pure.

#include <string>

#include "runner/base/patience.h"

namespace runner {

/// `code` is a CURLcode other than CURLE_OK, `reason` what libcurl says of it.
[[noreturn]] void throw_http_failure(int code, const std::string& reason, const Waits& waits);

}  // namespace runner
