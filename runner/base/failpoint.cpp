#include "runner/base/failpoint.h"

#ifdef RUNNER_FAILPOINTS
#include <csignal>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "runner/base/text.h"

namespace runner {
namespace {

using Handler = std::function<void(std::string_view)>;

/// RUNNER_FAILPOINT=NAME[:N] as a handler; empty without the variable.
Handler handler_of_environment() {
  const char* text = std::getenv("RUNNER_FAILPOINT");
  if (text == nullptr || *text == '\0') return {};
  std::string name = text;
  long long nth = 1;
  if (const std::size_t colon = name.rfind(':'); colon != std::string::npos) {
    nth = parse_integer(name.substr(colon + 1)).value_or(1);
    name.resize(colon);
  }
  return [name = std::move(name), left = nth](std::string_view reached) mutable {
    if (reached == name && --left == 0) ::raise(SIGKILL);
  };
}

struct Registry {
  std::mutex mutex;
  std::shared_ptr<Handler> handler = std::make_shared<Handler>(handler_of_environment());
};

// Test builds only: the one place of the program that knows of a state of the whole process.
Registry& registry() {
  static Registry the_registry;
  return the_registry;
}

}  // namespace

void failpoint(std::string_view name) {
  std::shared_ptr<Handler> handler;
  {
    const std::lock_guard lock(registry().mutex);
    handler = registry().handler;
  }
  if (*handler) (*handler)(name);
}

void set_failpoint_handler(Handler handler) {
  const std::lock_guard lock(registry().mutex);
  registry().handler = std::make_shared<Handler>(std::move(handler));
}

}  // namespace runner
#endif
