#include "runner/forge/forge_http.h"

#include <algorithm>
#include <array>

#include "runner/git/http_transfer.h"
#include "runner/git/remote.h"

namespace runner::forge {

ForgeAnswer ask_forge(const ForgeRequest& request, const ForgeLimits& limits, const std::stop_token& stop) {
  // What is in flight when reading ends; no answer that we ask for is as long.
  constexpr std::size_t kMostPending = 8U << 20U;
  git::RemoteLimits waits;
  waits.connect = limits.connect;
  waits.stall = limits.total;
  waits.total = limits.total;
  git::Patience patience(waits, stop);
  git::HttpRequest asked;
  asked.url = request.url;
  asked.post = request.post;
  asked.body = request.body;
  asked.fields = request.fields;
  asked.agent = "runner";
  asked.most_pending = kMostPending;
  git::HttpTransfer transfer(std::move(asked), patience);
  git::HttpHead head = transfer.head();
  ForgeAnswer answer;
  answer.status = head.status;
  answer.fields = std::move(head.fields);
  answer.retry_after = std::chrono::seconds(head.retry_after);
  std::array<char, 16U << 10U> buffer{};
  while (answer.body.size() < limits.body_bytes) {
    const std::size_t got =
        transfer.read_some(buffer.data(), std::min(buffer.size(), limits.body_bytes - answer.body.size()));
    if (got == 0) break;
    answer.body.append(buffer.data(), got);
  }
  return answer;
}

}  // namespace runner::forge
