#include "deployments/targets/release_upload.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "deployments/targets/artifact_check.h"
#include "deployments/targets/ssh_script.h"
#include "runner/base/error.h"
#include "runner/base/text.h"
#include "runner/base/unpack_paths.h"

namespace runner::deployments {
namespace {

constexpr std::size_t kPiece = 256U << 10U;

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

}  // namespace

void check_release_id(const std::string& id) {
  if (id.size() >= 12 && id.size() <= 64 && is_hex(id)) return;
  throw Error(ErrorCode::invalid_input,
              "a release is named by 12 to 64 of the digits 0-9 and a-f, not " + in_quotes(to_utf8(id)));
}

ReleaseUpload::ReleaseUpload(const Release& release) {
  check_release_id(release.id);
  if (!release.image.empty())
    throw Error(ErrorCode::invalid_input, "hosts by ssh take an artifact, not the image " +
                                              in_quotes(release.image) + "; give 'release: artifact:'");
  std::string archive;
  if (release.artifact) {
    archive = to_string(check_artifact(release.artifact->local));
    add(*release.artifact, "/archive");
  }
  for (const ReleaseFile& file : release.config) {
    const std::string path = inner_path(file.path, false);
    if (path.empty() || path.find('\0') != std::string::npos)
      throw Error(ErrorCode::invalid_input,
                  "a file of a release needs a path, not " + in_quotes(to_utf8(file.path)));
    add(file, "/config/" + path);
  }
  assignments_ = assignment("id", release.id) + assignment("archive", archive);
}

void ReleaseUpload::add(const ReleaseFile& file, const std::string& place) {
  Source source;
  source.name = file.local.native();
  source.fd.reset(::open(file.local.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info {};
  if (!source.fd || ::fstat(source.fd.get(), &info) != 0)
    throw_errno("cannot read " + in_quotes(source.name));
  if (!S_ISREG(info.st_mode))
    throw Error(ErrorCode::invalid_input, in_quotes(source.name) + " is no regular file");
  if (file.sha256.size() != 64 || !is_hex(file.sha256))
    throw Error(ErrorCode::invalid_input, "the digest of " + in_quotes(source.name) +
                                              " is no SHA-256: " + in_quotes(to_utf8(file.sha256)));
  source.bytes = static_cast<std::uint64_t>(info.st_size);
  receives_ += "receive \"$part\"" + shell_quote(place) + " " + std::to_string(source.bytes) + " " +
               file.sha256 + "\n";
  sources_.push_back(std::move(source));
}

std::string ReleaseUpload::request() const {
  return assignments_ + "receive_all() {\n:\n" + receives_ + "}\n";
}

bool ReleaseUpload::next(std::string& piece) {
  while (at_ < sources_.size() && sent_ == sources_[at_].bytes) {
    ++at_;
    sent_ = 0;
  }
  if (at_ == sources_.size()) return false;
  const Source& source = sources_[at_];
  piece.resize(static_cast<std::size_t>(std::min<std::uint64_t>(kPiece, source.bytes - sent_)));
  ssize_t got = 0;
  do got = ::pread(source.fd.get(), piece.data(), piece.size(), static_cast<off_t>(sent_));
  while (got < 0 && errno == EINTR);
  if (got < 0) throw_errno("cannot read " + in_quotes(source.name));
  if (got == 0)
    throw Error(ErrorCode::corrupt,
                in_quotes(source.name) + " has become shorter while it was sent; build it anew");
  piece.resize(static_cast<std::size_t>(got));
  sent_ += static_cast<std::uint64_t>(got);
  return true;
}

}  // namespace runner::deployments
