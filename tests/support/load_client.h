#pragma once
// One connection of a load generator, kept alive.

#include <chrono>
#include <cstdint>
#include <string>

#include "runner/base/fd.h"

namespace runner::test {

struct LoadAnswer {
  int status = 0;
  std::string version, failure;  // failure: "" or "refused", "cut", "timeout", "nonsense"
};

class LoadClient {
 public:
  LoadClient(std::uint16_t port, std::chrono::milliseconds patience) : port_(port), patience_(patience) {}
  /// Sends one request, once, and reads its answer. Connects when there is no connection.
  LoadAnswer ask(const std::string& request);

 private:
  bool connect();
  bool send(const std::string& request) const;
  /// Reads more; says why not.
  std::string read_more();

  std::uint16_t port_;
  std::chrono::milliseconds patience_;
  UniqueFd fd_;
  std::string buffer_;
};

}  // namespace runner::test
