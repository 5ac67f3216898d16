#include "registry/blob_fetch.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <vector>

#include "registry/shown.h"
#include "runner/base/digest.h"
#include "runner/base/error.h"
#include "runner/base/fd.h"
#include "runner/base/files.h"
#include "runner/base/text.h"

namespace runner::registry {
namespace {

constexpr std::size_t kPiece = 128U << 10U;
// What must have come for failures to be counted anew: else a byte at a time would take for ever.
constexpr std::uint64_t kProgress = 1U << 20U;

}  // namespace

/// What came so far.
struct BlobFetch::Draft {
  explicit Draft(const std::filesystem::path& file) : target(file) {
    std::string name = file.string() + ".XXXXXX";
    fd.reset(::mkostemp(name.data(), O_CLOEXEC));
    if (!fd) throw_errno("cannot make a file beside " + in_quotes(file.string()));
    path = name;
  }
  ~Draft() {
    if (!path.empty()) ::unlink(path.c_str());
  }
  Draft(const Draft&) = delete;
  Draft& operator=(const Draft&) = delete;

  void restart() {
    if (::ftruncate(fd.get(), 0) != 0 || ::lseek(fd.get(), 0, SEEK_SET) != 0)
      throw_errno("cannot begin anew with " + in_quotes(path));
    digest = Sha256();
    size = 0;
  }
  void add(std::string_view bytes) {
    write_all(fd.get(), bytes);
    digest.update(bytes);
    size += bytes.size();
  }
  void keep() {
    if (::fchmod(fd.get(), 0644) != 0 || ::fsync(fd.get()) != 0)
      throw_errno("cannot write " + in_quotes(path) + " out");
    if (::rename(path.c_str(), target.c_str()) != 0)
      throw_errno("cannot put " + in_quotes(target.string()) + " in place");
    path.clear();
  }

  std::filesystem::path target;
  std::string path;
  UniqueFd fd;
  Sha256 digest;
  std::uint64_t size = 0, counted = 0;
};

BlobFetch::BlobFetch(Channel& channel, const ClientOptions& options, const Reference& image,
                     const Descriptor& blob)
    : channel_(channel), options_(options), image_(image), blob_(blob) {}

/// One request, to its end. False when it came to less than there is.
bool BlobFetch::attempt(Draft& draft, Retry& retry) const {
  Call call;
  call.image = image_;
  call.target = image_.path + "/blobs/" + blob_.digest;
  if (draft.size > 0) call.fields = {"Range: bytes=" + std::to_string(draft.size) + "-"};
  Answer answer = channel_.send(call, retry.stop());
  const long status = answer.head().status;
  // A part that is not the one we asked for is of no use.
  const bool goes_on =
      status == 206 && answer.field("content-range").starts_with("bytes " + std::to_string(draft.size) + "-");
  if (draft.size > 0 && !goes_on) {
    draft.restart();
    if (status == 206 || status == 416) return false;
  }
  if (!goes_on && status != 200) answer.refuse();
  const std::uint64_t most = blob_.size != 0 ? blob_.size : options_.blob_bytes;
  std::vector<char> piece(kPiece);
  while (const std::size_t got = answer.read_some(piece.data(), piece.size())) {
    if (got > most - draft.size) {
      if (blob_.size != 0)
        throw Error(ErrorCode::corrupt, "the registry sends more than its " + std::to_string(blob_.size) +
                                            " bytes; look at the registry, and at proxies before it");
      throw Error(ErrorCode::invalid_input,
                  "the registry sends more than " + format_bytes(most) + ", the limit for a blob");
    }
    draft.add({piece.data(), got});
    if (draft.size >= draft.counted + kProgress) {
      draft.counted = draft.size;
      retry.progress();
    }
  }
  return blob_.size == 0 || draft.size == blob_.size;
}

void BlobFetch::into(const std::filesystem::path& file, Retry& retry) {
  Draft draft(file);
  with_retries(retry, [&] {
    if (!attempt(draft, retry))
      throw Error(ErrorCode::unavailable, "only " + std::to_string(draft.size) + " of " +
                                              std::to_string(blob_.size) +
                                              " bytes came; look at the network and the registry's log");
  });
  const std::string found = "sha256:" + draft.digest.finish_hex();
  if (found != blob_.digest)
    throw Error(ErrorCode::corrupt,
                "what came has the digest " + found + "; look at the registry, and at proxies before it");
  draft.keep();
}

}  // namespace runner::registry
