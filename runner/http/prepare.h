#pragma once
// What is done to a handler's answer before it is sent. Blocks on the disk; any thread.

#include "runner/http/message.h"

namespace runner::http {

/// The same answer; of one with a file, the descriptor, offset and length are set, and conditions and ranges
/// of the request are applied: it may become 304, 206 or 416, or a problem when the file is missing (404) or
/// cannot be read (500, logged). Of other answers to GET and HEAD with an ETag, If-None-Match is honoured
/// too.
Response prepare(const Request& request, Response response);

}  // namespace runner::http
