#include "registry/blob_upload.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <vector>

#include "registry/shown.h"
#include "runner/base/digest.h"
#include "runner/base/error.h"
#include "runner/base/percent.h"
#include "runner/base/text.h"

namespace runner::registry {
namespace {

constexpr std::size_t kPiece = 128U << 10U;
constexpr std::uint64_t kLargestChunk = 1ULL << 30U;  // whatever a registry asks for

std::size_t read_at(int fd, char* buffer, std::size_t size, std::uint64_t offset) {
  ssize_t got = 0;
  do got = ::pread(fd, buffer, size, static_cast<off_t>(offset));
  while (got < 0 && errno == EINTR);
  if (got < 0) throw_errno("cannot read what is to be pushed");
  return static_cast<std::size_t>(got);
}

/// What the registry has: the bytes before this one, by "0-N". Some write "bytes=0-N". Of none they say
/// "0-0", as of one, so one byte is none: chunks are longer.
std::optional<std::uint64_t> offset_of(const Answer& answer) {
  const std::string range = answer.field("range");
  const std::size_t dash = range.rfind('-');
  if (dash == std::string::npos) return std::nullopt;
  const auto last = parse_integer(std::string_view(range).substr(dash + 1));
  if (!last || *last < 0) return std::nullopt;
  return *last == 0 ? 0 : static_cast<std::uint64_t>(*last) + 1;
}

Call upload_call(const Reference& to, const std::string& query) {
  Call call;
  call.image = to;
  call.method = "POST";
  call.target = to.path + "/blobs/uploads/" + query;
  call.actions = "pull,push";
  return call;
}

}  // namespace

std::optional<std::uint64_t> find_blob_once(Channel& channel, const Reference& image,
                                            const std::string& digest, const std::stop_token& stop) {
  Call call;
  call.image = image;
  call.method = "HEAD";
  call.target = image.path + "/blobs/" + digest;
  const Answer answer = channel.expect(call, {200, 404}, stop);
  if (answer.head().status == 404) return std::nullopt;
  return static_cast<std::uint64_t>(
      std::max<std::int64_t>(0, parse_integer(answer.field("content-length")).value_or(0)));
}

bool mount_blob(Channel& channel, const Reference& from, const Reference& to, const std::string& digest,
                const std::stop_token& stop) {
  if (find_blob_once(channel, to, digest, stop)) return true;
  if (from.host != to.host) return false;
  Call call = upload_call(to, "?mount=" + percent_encode(digest) + "&from=" + percent_encode(from.path));
  call.more_scopes = {"repository:" + from.path + ":pull"};
  const Answer answer = channel.expect(call, {201, 202}, stop);
  if (answer.head().status == 201) return true;
  // An upload was begun in its place; what sends the blob begins its own.
  Call cancel;
  cancel.image = to;
  cancel.method = "DELETE";
  cancel.url = answer.location();
  cancel.actions = "pull,push";
  channel.send(cancel, stop);  // one that stays, the registry removes in time
  return false;
}

BlobUpload::BlobUpload(Channel& channel, const ClientOptions& options, const Reference& to,
                       const std::filesystem::path& file)
    : channel_(channel), options_(options), to_(to), fd_(::open(file.c_str(), O_RDONLY | O_CLOEXEC)) {
  if (!fd_) throw_errno("cannot open it");
  struct stat status {};
  if (::fstat(fd_.get(), &status) != 0) throw_errno("cannot look at it");
  if (!S_ISREG(status.st_mode)) throw Error(ErrorCode::invalid_input, "it is no regular file");
  Sha256 digest;
  std::vector<char> piece(kPiece);
  while (const std::size_t got = read_at(fd_.get(), piece.data(), piece.size(), blob_.size)) {
    digest.update({piece.data(), got});
    blob_.size += got;
  }
  blob_.digest = "sha256:" + digest.finish_hex();
  blob_.media_type = "application/octet-stream";
}

Call BlobUpload::call(const char* method) const {
  Call call;
  call.image = to_;
  call.method = method;
  call.url = session_;
  call.actions = "pull,push";
  return call;
}

HttpSource BlobUpload::part(std::uint64_t offset, std::uint64_t size) const {
  auto at = std::make_shared<std::uint64_t>(offset);  // of both functions
  HttpSource source;
  source.size = size;
  source.read = [at, fd = fd_.get()](char* buffer, std::size_t most) {
    const std::size_t got = read_at(fd, buffer, most, *at);
    *at += got;
    return got;
  };
  source.rewind = [at, offset] { *at = offset; };
  return source;
}

void BlobUpload::moved_to(const Answer& answer) {
  if (!answer.field("location").empty()) session_ = answer.location();
}

void BlobUpload::begin(const std::stop_token& stop) {
  const Answer answer = channel_.expect(upload_call(to_, ""), {202}, stop);
  session_ = answer.location();
  offset_ = 0;
  const auto least = parse_integer(answer.field("oci-chunk-min-length"));
  chunk_ = std::max<std::uint64_t>(2, options_.chunk_bytes);
  if (least && *least > 0)
    chunk_ = std::max(chunk_, std::min(static_cast<std::uint64_t>(*least), kLargestChunk));
}

/// After a failure: how far it came. False when the registry knows nothing of it any more.
bool BlobUpload::take_up(const std::stop_token& stop) {
  const Answer answer = channel_.send(call("GET"), stop);
  const std::optional<std::uint64_t> has = offset_of(answer);
  if (answer.head().status != 204 || !has || *has > blob_.size) return false;
  moved_to(answer);
  offset_ = *has;
  return true;
}

void BlobUpload::send_chunk(const std::stop_token& stop) {
  const std::uint64_t size = std::min(chunk_, blob_.size - offset_);
  Call chunk = call("PATCH");
  chunk.source = part(offset_, size);
  chunk.fields = {"Content-Type: application/octet-stream",
                  "Content-Range: " + std::to_string(offset_) + "-" + std::to_string(offset_ + size - 1)};
  const Answer answer = expect(chunk, {202}, stop);
  const std::uint64_t has = offset_of(answer).value_or(offset_ + size);
  if (has <= offset_ || has > offset_ + size)
    throw Error(ErrorCode::unavailable, "the registry says that it has " + std::to_string(has) + " of " +
                                            std::to_string(offset_ + size) + " bytes; look at its log");
  moved_to(answer);
  offset_ = has;
}

void BlobUpload::finish(const std::stop_token& stop) {
  Call last = call("PUT");
  last.url = with_parameter(*session_, "digest", blob_.digest);
  last.fields = {"Content-Type: application/octet-stream"};
  if (offset_ < blob_.size) last.source = part(offset_, blob_.size - offset_);
  if (offset_ > 0 && offset_ < blob_.size)
    last.fields.push_back("Content-Range: " + std::to_string(offset_) + "-" + std::to_string(blob_.size - 1));
  const Answer answer = expect(last, {201, 204}, stop);
  const std::string told = answer.field("docker-content-digest");
  if (told.starts_with("sha256:") && told != blob_.digest)
    throw Error(ErrorCode::corrupt, "the registry keeps " + shown(told) + " and not " + blob_.digest);
}

/// What the registry forgot is begun anew, as often as other failures.
Answer BlobUpload::expect(const Call& call, std::initializer_list<long> statuses,
                          const std::stop_token& stop) {
  Answer answer = channel_.send(call, stop);
  const long status = answer.head().status;
  if (std::find(statuses.begin(), statuses.end(), status) != statuses.end()) return answer;
  if (status != 404 && status != 416) answer.refuse();
  if (status == 404) session_.reset();
  throw Error(ErrorCode::unavailable,
              "the registry answers " + std::to_string(status) +
                  " in the middle of an upload: it has forgotten it, or has another "
                  "part of it; look at its log, and whether several answer to its name");
}

void BlobUpload::run(Retry& retry) {
  const std::stop_token& stop = retry.stop();
  std::uint64_t best = 0;  // only what goes beyond it counts as progress: so it ends
  with_retries(retry, [&] {
    // Also after a request whose answer was lost.
    if (find_blob_once(channel_, to_, blob_.digest, stop)) return;
    if (session_ && !take_up(stop)) session_.reset();
    if (!session_) begin(stop);
    while (blob_.size - offset_ > chunk_) {
      send_chunk(stop);
      if (offset_ > best) {
        best = offset_;
        retry.progress();
      }
    }
    finish(stop);
  });
}

}  // namespace runner::registry
