#pragma once
// One request over http or https and its answer, by libcurl, read as it is needed. For this folder and
// for runner/forge; one thread.

#include <cstddef>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "runner/git/upload_pack.h"

namespace runner::git {

struct HttpRequest {
  std::string url;  // without credentials
  bool post = false;
  std::string body;                 // of a POST
  std::vector<std::string> fields;  // "Name: value"
  std::string user, password;       // Basic, sent at once and to this host and port only; both empty: none
  std::filesystem::path authorities;
  // Some forges answer only to what calls itself git.
  std::string agent = "git/2.39 (runner)";
  bool follow_redirects = false;  // never from https to http
  bool compressed = false;        // the answer may be
  std::size_t most_pending = 0;   // bytes of the answer that may lie here unread; more: Error
};

struct HttpHead {
  long status = 0;
  std::string content_type;                   // lower case
  std::string url;                            // where redirects led
  long retry_after = 0;                       // seconds; 0 when it was not said
  std::map<std::string, std::string> fields;  // names in lower case; of several the last
};

class HttpTransfer {
 public:
  /// Sends when head() is asked for. `patience` outlives it.
  HttpTransfer(HttpRequest request, Patience& patience);
  /// Keeps the connection for the thread's next transfer when the answer was read to its end.
  ~HttpTransfer();
  HttpTransfer(const HttpTransfer&) = delete;
  HttpTransfer& operator=(const HttpTransfer&) = delete;

  /// Waits for the answer's begin. Throws Error: unavailable, timeout, cancelled; invalid_input for a
  /// certificate that is not trusted.
  HttpHead head();
  /// At least one byte, or 0 at the end of the answer. Throws the same.
  std::size_t read_some(char* buffer, std::size_t size);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace runner::git
