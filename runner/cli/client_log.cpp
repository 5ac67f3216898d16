#include "runner/cli/client_log.h"

#include <algorithm>
#include <exception>
#include <thread>

#include "runner/base/error.h"
#include "runner/base/text.h"
#include "runner/cli/messages.h"

namespace runner::cli {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kFirstWait{200};
constexpr milliseconds kLongestWait{5'000};
constexpr milliseconds kPatience{60'000};

std::string path_of(std::int64_t job) {
  return "/jobs/" + std::to_string(job) + "/log";
}

bool is_success(const ApiResponse& answer) {
  return answer.status >= 200 && answer.status < 300;
}

}  // namespace

void fetch_log(ClientDesk& desk, std::int64_t job, const std::function<void(std::string_view)>& write) {
  ApiResponse answer;
  const auto sink = [&](std::string_view bytes) {
    write(bytes);
    return true;
  };
  const StreamEnd end = desk.client().stream(path_of(job), {{"Accept", "text/plain"}}, sink, answer);
  if (!is_success(answer)) throw refusal_of(answer, desk.client().endpoint());
  if (end == StreamEnd::broken)
    throw Error(ErrorCode::unavailable, "the connection to " + in_quotes(desk.client().endpoint().shown) +
                                            " broke: the end of the log is missing");
}

LogFollower::LogFollower(ClientDesk& desk, std::int64_t job, Write write)
    : desk_(desk),
      job_(job),
      write_(std::move(write)),
      events_([this](const ServerEvent& event) { return take(event); }) {}

std::string LogFollower::run() {
  SteadyPoint give_up = desk_.clock().steady_now() + kPatience;
  for (bool first = true;; first = false) {
    const std::int64_t before = seen_;
    try {
      const bool connected = connect();
      if (ended_ || unwanted_) return status_;
      // A connection that the server ends at once, each time, gets us nowhere.
      if (connected && seen_ > before) {
        failures_ = 0;
        give_up = desk_.clock().steady_now() + kPatience;
      }
    } catch (const std::exception& error) {
      if (first || !may_pass(error) || desk_.clock().steady_now() >= give_up) throw;
      if (failures_ == 1) print_notice(std::string(error.what()) + "; trying again");
    }
    wait_before(give_up);
  }
}

/// One connection, to its end. False when it broke before anything came.
bool LogFollower::connect() {
  events_.restart();
  ApiClient::Fields fields{{"Accept", "text/event-stream"}};
  if (seen_ > 0) fields.emplace_back("Last-Event-ID", std::to_string(seen_));
  bool anything = false;
  const auto sink = [&](std::string_view bytes) {
    anything = true;
    return events_.feed(bytes);
  };
  ApiResponse answer;
  desk_.client().stream(path_of(job_) + "/follow", fields, sink, answer);
  if (!is_success(answer)) throw refusal_of(answer, desk_.client().endpoint());
  return anything;
}

void LogFollower::wait_before(SteadyPoint give_up) {
  if (desk_.clock().steady_now() >= give_up)
    throw Error(ErrorCode::unavailable, "the server at " + in_quotes(desk_.client().endpoint().shown) +
                                            " ends the connection again and again; the log goes on there");
  milliseconds wait = kFirstWait * (1 << std::min<std::size_t>(failures_, 8));
  if (events_.retry()) wait = std::max(wait, *events_.retry());
  ++failures_;
  std::this_thread::sleep_for(std::min(wait, kLongestWait));
}

bool LogFollower::take(const ServerEvent& event) {
  if (event.type == "end") {
    status_ = read_end_event(event.data);
    ended_ = true;
    return false;
  }
  // Others may be added.
  return event.type != "log" || take_text(event);
}

bool LogFollower::take_text(const ServerEvent& event) {
  const LogEvent piece = read_log_event(event.data);
  const std::int64_t begin = piece.offset.value_or(seen_);
  // The text may be longer than its bytes in the log: what is no UTF-8 was replaced.
  const std::int64_t end =
      parse_integer(event.id).value_or(begin + static_cast<std::int64_t>(piece.text.size()));
  if (begin < 0 || end < begin)
    throw Error(ErrorCode::corrupt,
                "cannot read the server's answer: a piece of the log ends before it begins");
  if (end <= seen_) return true;
  std::string_view text = piece.text;
  if (begin < seen_ && static_cast<std::int64_t>(text.size()) == end - begin)
    text.remove_prefix(static_cast<std::size_t>(seen_ - begin));
  if (begin > seen_)
    print_notice(format_bytes(static_cast<std::uint64_t>(begin - seen_)) + " of the log are missing here");
  seen_ = end;
  unwanted_ = !write_(text);
  return !unwanted_;
}

}  // namespace runner::cli
