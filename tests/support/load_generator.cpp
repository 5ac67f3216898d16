#include "tests/support/load_generator.h"

#include <utility>

#include "runner/base/error.h"
#include "tests/support/load_client.h"

namespace runner::test {
namespace {

constexpr std::size_t kKeptFailures = 20;

}  // namespace

std::string Counts::text() const {
  std::string text = "sent " + std::to_string(sent) + ", ok " + std::to_string(ok) + ", failed " +
                     std::to_string(failed) + " (cut " + std::to_string(cut) + ", refused " +
                     std::to_string(refused) + ")";
  for (const auto& [status, count] : by_status)
    text += ", " + std::to_string(status) + ": " + std::to_string(count);
  for (const auto& [version, count] : by_version)
    text += ", version " + version + ": " + std::to_string(count);
  for (const Failure& failure : first_failures)
    text += "\n  request " + std::to_string(failure.number) + " " + failure.method + ": " + failure.kind;
  return text;
}

LoadGenerator::LoadGenerator(Load load) : load_(std::move(load)) {
  for (unsigned i = 0; i < load_.clients; ++i) threads_.emplace_back([this] { be_client(); });
}

LoadGenerator::~LoadGenerator() {
  stop();
}

void LoadGenerator::be_client() {
  LoadClient client(load_.port, load_.patience);
  while (!stopping_) {
    const std::uint64_t number = next_++;
    if (number >= load_.most) return;
    const std::string method = number % 2 == 0 ? "GET" : "POST";
    const std::string body = method == "GET" ? "" : "number=" + std::to_string(number);
    std::string request =
        method + " " + load_.path + " HTTP/1.1\r\nHost: test\r\nX-Number: " + std::to_string(number) + "\r\n";
    if (!body.empty()) request += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    const LoadAnswer answer = client.ask(request + "\r\n" + body);
    note(method, number, answer.status, answer.version, answer.failure);
    std::this_thread::sleep_for(load_.pause);
  }
}

void LoadGenerator::note(const std::string& method, std::uint64_t number, int status,
                         const std::string& version, const std::string& failure) {
  const std::lock_guard lock(mutex_);
  ++counts_.sent;
  if (failure.empty()) ++counts_.by_status[status];
  if (failure.empty() && status < 500) {
    ++counts_.ok;
    ++counts_.by_version[version];
  } else {
    ++counts_.failed;
    if (failure == "refused")
      ++counts_.refused;
    else if (!failure.empty())
      ++counts_.cut;
    if (counts_.first_failures.size() < kKeptFailures)
      counts_.first_failures.push_back(
          {number, method, failure.empty() ? "status " + std::to_string(status) : failure});
  }
  changed_.notify_all();
}

Counts LoadGenerator::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

void LoadGenerator::wait_until(const std::function<bool(const Counts&)>& says_so) const {
  std::unique_lock lock(mutex_);
  if (!changed_.wait_for(lock, std::chrono::seconds(30), [&] { return says_so(counts_); }))
    throw Error(ErrorCode::timeout, "the load did not come so far: " + counts_.text());
}

void LoadGenerator::wait_for_ok(std::uint64_t more) const {
  const std::uint64_t wanted = counts().ok + more;
  wait_until([&](const Counts& counts) { return counts.ok >= wanted; });
}

Counts LoadGenerator::stop() {
  stopping_ = true;
  for (std::thread& thread : threads_)
    if (thread.joinable()) thread.join();
  return counts();
}

}  // namespace runner::test
