#include "runner/forge/forge_http.h"

#include <algorithm>
#include <array>

#include "runner/base/http_transfer.h"

namespace runner::forge {

ForgeAnswer ask_forge(const ForgeRequest& request, const ForgeLimits& limits, const std::stop_token& stop) {
  Patience patience({limits.connect, limits.total, limits.total}, stop);
  HttpRequest asked;
  asked.url = request.url;
  if (request.post) asked.method = "POST";
  asked.body = request.body;
  asked.fields = request.fields;
  HttpTransfer transfer(std::move(asked), patience);
  HttpHead head = transfer.head();
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
