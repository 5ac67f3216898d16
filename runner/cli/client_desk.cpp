#include "runner/cli/client_desk.h"

#include <unistd.h>

#include <cstdio>

#include "runner/base/error.h"
#include "runner/base/text.h"
#include "runner/cli/client_server.h"
#include "runner/cli/commands.h"
#include "runner/cli/table.h"

namespace runner::cli {
namespace {

constexpr std::size_t kPage = 100;  // the longest that servers hand out
// Of a message; the rest would be noise.
constexpr std::size_t kMaxShown = 2'000;

std::string shown(const std::string& text) {
  return printable(text.substr(0, kMaxShown));
}

std::string sentence_of(const ApiResponse& answer, const ApiEndpoint& endpoint) {
  const ProblemAnswer problem = read_problem(answer.body);
  std::string text = shown(problem.detail.empty() ? problem.title : problem.detail);
  if (text.empty())
    text = "the server at " + in_quotes(endpoint.shown) + " answered with status " +
           std::to_string(answer.status);
  std::string fields;
  for (const auto& [field, message] : problem.errors) {
    if (fields.size() > kMaxShown) break;
    if (text.find(shown(message)) != std::string::npos) continue;  // the sentence says it already
    fields += (fields.empty() ? ": " : ", ") + in_quotes(shown(field)) + " " + shown(message);
  }
  return text + fields;
}

}  // namespace

Refused refusal_of(const ApiResponse& answer, const ApiEndpoint& endpoint) {
  const std::string text = sentence_of(answer, endpoint);
  const bool local = !endpoint.socket.empty();
  switch (answer.status) {
    case 400:
    case 422:
      return {exit_usage, text, ""};
    case 401:
      return {exit_machinery, text,
              local ? "ask as root or as the user the server runs as, or name it with --server and put "
                      "a token into RUNNER_TOKEN"
              : endpoint.token.empty()
                  ? "put a token into RUNNER_TOKEN; 'runner token create' makes one"
                  : "RUNNER_TOKEN holds no token that this server takes; 'runner token create' "
                    "makes a new one"};
    case 403:
      return {exit_machinery, text,
              "this takes a right that you do not have: ask an admin, who gives it with 'runner user set'"};
    case 404:
    case 405:
    case 409:
    case 413:
      return {exit_failed, text, ""};
    case 429:
      return {
          exit_machinery, text,
          answer.retry_after.empty() ? "try again later" : "try again in " + shown(answer.retry_after) + " s",
          true};
    default:
      break;
  }
  if (answer.status >= 300 && answer.status < 400)
    return {exit_machinery, "the server at " + in_quotes(endpoint.shown) + " sends us elsewhere",
            "if you trust it, name " + in_quotes(shown(answer.location)) + " with --server"};
  return {exit_machinery, text, answer.status == 503 ? "try again in a moment" : "", answer.status >= 500};
}

bool may_pass(const std::exception& thrown) {
  if (const auto* refused = dynamic_cast<const Refused*>(&thrown)) return refused->may_pass();
  const auto* failed = dynamic_cast<const Error*>(&thrown);
  return failed != nullptr &&
         (failed->code() == ErrorCode::unavailable || failed->code() == ErrorCode::timeout);
}

ClientDesk::ClientDesk(const ClientCommon& common)
    : common_(common),
      screen_(detect_screen(STDOUT_FILENO, common.no_color)),
      client_(find_server(common.server)) {}

std::string ClientDesk::ask(std::string_view method, std::string_view path, std::string_view json) {
  ApiResponse answer = client_.call(method, path, json);
  if (answer.status < 200 || answer.status > 299) throw refusal_of(answer, client_.endpoint());
  return std::move(answer.body);
}

void ClientDesk::each_page(std::string path, const std::function<bool(const std::string& page)>& take,
                           std::size_t most) {
  path += path.find('?') == std::string::npos ? "?" : "&";
  std::string cursor;
  for (std::size_t page = 0; page < most; ++page) {
    const std::string body = ask("GET", path + "limit=" + std::to_string(kPage) + cursor);
    if (!take(body)) return;
    const auto next = read_next(body);
    if (!next) return;
    cursor = "&cursor=" + url_encode(*next);
  }
  throw Error(ErrorCode::corrupt,
              "the list of the server at " + in_quotes(client_.endpoint().shown) + " does not end");
}

std::string ClientDesk::all_items(const std::string& path, std::size_t limit) {
  std::string out = "[";
  std::size_t count = 0;
  each_page(path, [&](const std::string& page) {
    for (const std::string& item : clean_items(page)) {
      if (count == limit) return false;
      if (count++ > 0) out += ',';
      out += item;
    }
    return count < limit;
  });
  return out + "]\n";
}

std::string status_text(const Screen& screen, std::string_view status) {
  Tone tone = Tone::plain;
  if (status == "success") tone = Tone::green;
  if (status == "failed") tone = Tone::red;
  if (status == "canceled" || status == "canceling" || status == "manual") tone = Tone::yellow;
  if (status == "running") tone = Tone::cyan;
  if (status == "skipped") tone = Tone::dim;
  return paint(screen, tone, printable(status));
}

void say(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

}  // namespace runner::cli
