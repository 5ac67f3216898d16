// Logs of attempts: whole, in parts, and as they grow.
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "runner/api/feed.h"
#include "runner/api/json_output.h"
#include "runner/api/refusal.h"
#include "runner/api/routes.h"
#include "runner/api/shapes.h"
#include "runner/api/utf8_cut.h"
#include "runner/base/error.h"
#include "runner/base/text.h"
#include "runner/storage/tables.h"

namespace runner::api {
namespace {

// A byte becomes six characters at worst ("\u001b"), beside the frame of an event.
constexpr std::size_t kLargestGrowth = 6;
constexpr std::size_t kFrameBytes = 256;
constexpr std::size_t kPieceBytes = 8U << 10U;
constexpr std::size_t kLeastRoom = 8U << 10U;
static_assert(kPieceBytes * kLargestGrowth + kFrameBytes <= kFeedBytes);
/// Without a word from others the row is looked at so often.
constexpr std::chrono::seconds kStatusInterval{1};
constexpr std::chrono::milliseconds kSoon{3}, kLogIsMade{2'000};

/// Empty when there is no log yet. Throws Error.
UniqueFd open_log(const std::filesystem::path& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd && errno != ENOENT && errno != ENOTDIR) throw_errno("cannot open " + in_quotes(path.native()));
  return fd;
}

/// Holds no more of the log than one piece: it reads from where the client is, once there is room.
class LogFollower final : public Follower {
 public:
  LogFollower(Context& context, const storage::JobRecord& job, http::StreamHandle handle,
              std::uint64_t offset)
      : context_(context),
        job_(job.id),
        path_(log_path(context, job)),
        feed_(std::move(handle), context.followers.waker()),
        offset_(offset) {}

  bool step(std::uint64_t changes) override {
    // The status first: what is read after a final one is all there is.
    if (!look_at_job(changes)) return false;
    while (!feed_.is_gone()) {
      const std::size_t room = feed_.room();
      if (room < kLeastRoom) return !feed_.is_gone();
      const std::size_t size = read_piece(std::min(kPieceBytes, (room - kFrameBytes) / kLargestGrowth));
      if (size == 0) return !end_when_final();
      send_piece({piece_.data(), size});
    }
    return false;
  }

  /// A job that was started makes its log in a moment, and nobody says when.
  std::chrono::milliseconds patience() const override {
    const bool about_to = !fd_ && status_ == pipelines::JobStatus::running &&
                          context_.parts.clock.steady_now() - since_ < kLogIsMade;
    return about_to ? kSoon : kFollowInterval;
  }

 private:
  /// False when the job is gone.
  bool look_at_job(std::uint64_t changes) {
    const SteadyPoint now = context_.parts.clock.steady_now();
    if (!end_.empty() || (changes == seen_changes_ && now < look_again_)) return true;
    std::optional<storage::JobRecord> job;
    context_.parts.store.read([&](storage::Tx& tx) { job = storage::Jobs(tx).find(job_); });
    if (job && is_completed(job->status)) end_ = to_string(job->status);
    if (job && job->status != status_) {
      status_ = job->status;
      since_ = now;
    }
    seen_changes_ = changes;
    look_again_ = now + kStatusInterval;
    return job.has_value();
  }

  /// How much there is to send: whole characters, unless the job has ended in the middle of one.
  std::size_t read_piece(std::size_t most) {
    if (!fd_ && (fd_ = open_log(path_))) watch_ = context_.followers.growth().watch(fd_.get());
    if (!fd_) return 0;
    ssize_t got = 0;
    do got = ::pread(fd_.get(), piece_.data(), most, static_cast<off_t>(offset_));
    while (got < 0 && errno == EINTR);
    if (got < 0) throw_errno("cannot read " + in_quotes(path_.native()));
    const auto size = static_cast<std::size_t>(got);
    const std::size_t whole = whole_characters({piece_.data(), size});
    return whole == 0 && !end_.empty() ? size : whole;
  }

  void send_piece(std::string_view text) {
    JsonObject data;
    data.size("offset", offset_).text("text", text);
    offset_ += text.size();
    // There is room: the piece was cut to it. When it fails the reader is gone, which the loop sees.
    feed_.send("log", std::move(data).take(), std::to_string(offset_));
  }

  bool end_when_final() {
    if (end_.empty()) return false;
    JsonObject data;
    data.text("status", end_);
    if (!feed_.send("end", std::move(data).take(), std::to_string(offset_))) return feed_.is_gone();
    feed_.close();
    return true;
  }

  Context& context_;
  std::int64_t job_;
  std::filesystem::path path_;
  Feed feed_;
  std::uint64_t offset_;
  UniqueFd fd_;
  Growth::Watch watch_;
  std::string end_;  // the final status, once there is one
  std::uint64_t seen_changes_ = 0;
  SteadyPoint look_again_{}, since_{};
  pipelines::JobStatus status_ = pipelines::JobStatus::created;
  std::array<char, kPieceBytes> piece_{};
};

/// Where a client goes on. Throws Refusal.
std::uint64_t offset_of(const http::Request& request) {
  const std::string* last = request.headers.find("Last-Event-ID");
  if (last == nullptr || trim(*last).empty()) return 0;
  const auto offset = parse_integer(trim(*last));
  if (!offset || *offset < 0) refuse_field("Last-Event-ID", "must be the id of an event of this log");
  return static_cast<std::uint64_t>(*offset);
}

storage::JobRecord job_of(Context& context, const Call& call) {
  const std::int64_t id = id_of(call, "job");
  storage::JobRecord job;
  context.parts.store.read([&](storage::Tx& tx) { job = get_job(tx, id); });
  return job;
}

}  // namespace

http::Response show_log(Context& context, const Call& call) {
  http::Response response = http::text_response(200, "");
  UniqueFd fd = open_log(log_path(context, job_of(context, call)));
  if (fd) response.body = http::FileBody{.fd = std::move(fd), .path = {}, .offset = 0, .length = {}};
  return response;
}

http::Response follow_log(Context& context, const Call& call) {
  const storage::JobRecord job = job_of(context, call);
  const std::uint64_t offset = offset_of(call.request);
  auto [handle, body] = http::make_stream({.buffer_bytes = kFeedBytes, .events = true});
  context.followers.add(std::make_unique<LogFollower>(context, job, std::move(handle), offset));
  return http::stream_response(std::move(body));
}

}  // namespace runner::api
