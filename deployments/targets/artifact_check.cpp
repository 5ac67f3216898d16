#include "deployments/targets/artifact_check.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>

#include "runner/base/error.h"
#include "runner/base/fd.h"
#include "runner/base/text.h"
#include "runner/base/unpack.h"
#include "runner/base/unpack_paths.h"

namespace runner::deployments {
namespace {

namespace fs = std::filesystem;

std::string first_bytes(const fs::path& file) {
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) throw_errno("cannot read the artifact " + in_quotes(file.native()));
  std::array<char, 512> bytes{};
  std::size_t have = 0;
  while (have < bytes.size()) {
    const ssize_t got = ::read(fd.get(), bytes.data() + have, bytes.size() - have);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw_errno("cannot read the artifact " + in_quotes(file.native()));
    if (got == 0) break;
    have += static_cast<std::size_t>(got);
  }
  return {bytes.data(), have};
}

ArchiveKind kind_of(const fs::path& file) {
  const std::string head = first_bytes(file);
  const auto begins = [&](std::string_view magic) {
    return std::string_view(head).substr(0, magic.size()) == magic;
  };
  if (begins("PK\x03\x04") || begins("PK\x05\x06")) return ArchiveKind::zip;
  if (begins("\x1f\x8b")) return ArchiveKind::tar_gz;
  if (begins("\x28\xb5\x2f\xfd")) return ArchiveKind::tar_zst;
  if (head.size() == 512 && head.substr(257, 5) == "ustar") return ArchiveKind::tar;
  throw Error(ErrorCode::invalid_input, "the artifact " + in_quotes(file.filename().native()) +
                                            " is no archive; give a zip, tar, tar.gz or tar.zst");
}

[[noreturn]] void refuse(const ArchiveEntry& entry, const std::string& why) {
  throw Error(ErrorCode::invalid_input, in_quotes(to_utf8(entry.path)) + " " + why);
}

void check_entry(const ArchiveEntry& entry, UnpackedPaths& seen) {
  using Kind = UnpackedPaths::Kind;
  const std::string path = inner_path(entry.path, false);
  if (path.empty() && entry.type == 'd') return;
  switch (entry.type) {
    case 'f':
      return seen.add(path, Kind::file);
    case 'd':
      return seen.add(path, Kind::directory);
    case 'l':
      if (!link_stays_inside(path, entry.target))
        refuse(entry, "is a symbolic link that leads out, to " + in_quotes(to_utf8(entry.target)));
      return seen.add(path, Kind::link);
    case 'h':
      if (!seen.is_file(inner_path(entry.target, false)))
        refuse(entry,
               "is a hard link to what the archive did not bring: " + in_quotes(to_utf8(entry.target)));
      return seen.add(path, Kind::file);
    default:
      refuse(entry, "is neither a file nor a directory nor a link");
  }
}

}  // namespace

std::string_view to_string(ArchiveKind kind) noexcept {
  switch (kind) {
    case ArchiveKind::zip:
      return "zip";
    case ArchiveKind::tar:
      return "tar";
    case ArchiveKind::tar_gz:
      return "tar.gz";
    case ArchiveKind::tar_zst:
      break;
  }
  return "tar.zst";
}

ArchiveKind check_artifact(const fs::path& archive) {
  const ArchiveKind kind = kind_of(archive);
  try {
    const UnpackLimits limits;
    UnpackedPaths seen(true, limits.all_paths);
    for (const ArchiveEntry& entry : list_archive(archive, limits)) check_entry(entry, seen);
  } catch (Error& e) {
    e.add_context("the artifact " + in_quotes(archive.filename().native()) + " cannot be deployed");
    throw;
  }
  return kind;
}

}  // namespace runner::deployments
