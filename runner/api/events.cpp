// What happens, as it happens.
#include "runner/api/access.h"
#include "runner/api/feed.h"
#include "runner/api/json_output.h"
#include "runner/api/refusal.h"
#include "runner/api/routes.h"
#include "runner/api/shapes.h"
#include "runner/base/log.h"
#include "runner/base/text.h"
#include "runner/storage/event_table.h"

namespace runner::api {
namespace {

constexpr std::size_t kBatch = 32;
constexpr std::chrono::seconds kLookInterval{1};  // without a word from others

class EventFollower final : public Follower {
 public:
  EventFollower(Context& context, storage::LogFilter filter, std::int64_t seen, http::StreamHandle handle)
      : context_(context),
        filter_(filter),
        seen_(seen),
        feed_(std::move(handle), context.followers.waker()) {}

  bool step(std::uint64_t changes) override {
    const SteadyPoint now = context_.parts.clock.steady_now();
    if (changes == seen_changes_ && now < look_again_) return !feed_.is_gone();
    while (!feed_.is_gone()) {
      if (feed_.room() < kFeedBytes / 2) return !feed_.is_gone();  // what is sent would be read twice
      const Read read = read_on();
      // A number from before the database was put back to an older state is one that nothing is known of.
      const bool unknown = seen_ > read.last;
      if ((unknown || read.pruned > seen_) && !tell_missed(unknown ? read.last : read.pruned))
        return !feed_.is_gone();
      for (const auto& event : read.events) {
        if (!send(event)) return !feed_.is_gone();
      }
      if (read.events.size() == kBatch) continue;
      // Whatever is not of the filter was seen too: it may be pruned, and nothing is missed.
      seen_ = std::max(seen_, read.last);
      seen_changes_ = changes;
      look_again_ = now + kLookInterval;
      return true;
    }
    return false;
  }

 private:
  struct Read {
    std::vector<storage::LogRecord> events;
    std::int64_t pruned = 0, last = 0;
  };

  Read read_on() {
    Read read;
    context_.parts.store.read([&](storage::Tx& tx) {
      storage::EventLog log(tx);
      read.pruned = log.pruned();
      read.last = log.last();
      read.events = log.after(seen_, kBatch, filter_);
    });
    return read;
  }

  bool tell_missed(std::int64_t until) {
    JsonObject data;
    data.number("after", seen_).number("until", until);
    if (!feed_.send("missed", std::move(data).take(), std::to_string(until))) return false;
    seen_ = until;
    return true;
  }

  bool send(const storage::LogRecord& event) {
    const std::string id = std::to_string(event.seq);
    if (event.payload.size() > kFeedBytes / 4) {
      log_warn("api", "event " + id + " is too large to be sent; who follows is told that it is missing");
      return tell_missed(event.seq);
    }
    if (!feed_.send(event.kind, event.payload, id)) return false;
    seen_ = event.seq;
    return true;
  }

  Context& context_;
  storage::LogFilter filter_;
  std::int64_t seen_;
  Feed feed_;
  std::uint64_t seen_changes_ = 0;
  SteadyPoint look_again_{};
};

/// Throws Refusal.
storage::LogFilter filter_of(storage::Tx& tx, const http::Request& request, const Caller& caller) {
  storage::LogFilter filter;
  const std::string* project = request.query_value("project");
  // Who may not see all of them says which.
  check_permission(
      caller, storage::Permission::monitor, project == nullptr ? "" : *project, "",
      project == nullptr ? "following what happens in all projects (say project=... for one)" : "");
  if (project != nullptr) filter.project = get_project(tx, *project).id;
  if (const std::string* pipeline = request.query_value("pipeline")) {
    const auto id = parse_integer(*pipeline);
    if (!id || *id < 1) refuse_field("pipeline", "must be the id of a pipeline");
    const storage::PipelineRecord found = get_pipeline(tx, *id);
    const auto its = storage::Projects(tx).find(found.project);
    // Of another project: there is none for whoever may not know of it.
    if (project != nullptr && (!its || its->name != *project))
      refuse_missing("pipeline " + std::to_string(*id));
    filter.pipeline = found.id;
  }
  return filter;
}

/// nullopt: from now on. Throws Refusal.
std::optional<std::int64_t> seen_by(const http::Request& request) {
  const std::string* last = request.headers.find("Last-Event-ID");
  if (last == nullptr || trim(*last).empty()) return {};
  const auto seq = parse_integer(trim(*last));
  if (!seq || *seq < 0) refuse_field("Last-Event-ID", "must be the id of an event");
  return seq;
}

}  // namespace

http::Response follow_events(Context& context, const Call& call) {
  const auto seen = seen_by(call.request);
  storage::LogFilter filter;
  std::int64_t last = 0;
  context.parts.store.read([&](storage::Tx& tx) {
    filter = filter_of(tx, call.request, call.caller);
    last = storage::EventLog(tx).last();
  });
  auto [handle, body] = http::make_stream({.buffer_bytes = kFeedBytes, .events = true});
  context.followers.add(
      std::make_unique<EventFollower>(context, filter, seen.value_or(last), std::move(handle)));
  return http::stream_response(std::move(body));
}

}  // namespace runner::api
