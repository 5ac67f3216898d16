// Masking of secrets. An input is: secrets, one a line, an empty line, then the log. How the log is cut into
// writes must not matter.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "runner/engine/masker.h"
#include "tests/fuzz/check.h"

namespace {

std::string mask(const std::vector<std::string>& secrets, std::string_view log, std::size_t chunk) {
  runner::engine::Masker masker(secrets);
  std::string out;
  for (std::size_t at = 0; at < log.size(); at += chunk) masker.feed(log.substr(at, chunk), out);
  masker.finish(out);
  return out;
}

/// Too short to be taken as a secret by the command line, or the replacement text itself can make it up.
bool may_be_seen(std::string_view secret) {
  return secret.size() < 8 || secret.find_first_of("[MASKED]") != std::string_view::npos;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace runner;
  if (size > 8192) return 0;
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  std::vector<std::string> secrets;
  while (!rest.empty() && secrets.size() < 20) {
    const auto end = rest.find('\n');
    const auto line = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
    if (line.empty()) break;
    secrets.emplace_back(line);
  }
  const std::string whole = mask(secrets, rest, rest.size() + 1);
  for (const std::size_t chunk :
       {std::size_t{1}, std::size_t{2}, std::size_t{3}, std::size_t{7}, std::size_t{64}}) {
    test::promise(mask(secrets, rest, chunk) == whole, "the cut into writes does not matter");
  }
  for (const auto& secret : secrets) {
    if (may_be_seen(secret)) continue;
    test::promise(whole.find(secret) == std::string::npos, "no secret gets through");
  }
  return 0;
}
