#include "builds/at_once.h"

#include <algorithm>
#include <atomic>
#include <exception>
#include <thread>
#include <vector>

namespace runner::builds {
namespace {

constexpr std::size_t kThreads = 8;

}  // namespace

void at_once(std::size_t count, const std::function<void(std::size_t)>& body) {
  std::vector<std::exception_ptr> failed(count);
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    for (std::size_t i = next++; i < count; i = next++) {
      try {
        body(i);
      } catch (...) {
        failed[i] = std::current_exception();
      }
    }
  };
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 1; i < std::min(count, kThreads); ++i) threads.emplace_back(work);
    work();
  }
  for (const std::exception_ptr& each : failed)
    if (each) std::rethrow_exception(each);
}

}  // namespace runner::builds
