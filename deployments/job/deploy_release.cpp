#include "deployments/job/deploy_release.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <set>
#include <system_error>

#include "pipelines/variables.h"
#include "runner/base/digest.h"
#include "runner/base/error.h"
#include "runner/base/fd.h"
#include "runner/base/files.h"
#include "runner/base/text.h"

namespace runner::deployments {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kTemplate = ".tmpl";
constexpr std::size_t kIdDigits = 32, kPiece = 1U << 18U;

bool lies_below(const fs::path& path, const fs::path& root) {
  return std::mismatch(root.begin(), root.end(), path.begin(), path.end()).first == root.end();
}

/// `what`: the key it comes from.
fs::path file_in(const fs::path& workspace, const std::string& name, const std::string& what) {
  std::error_code error;
  const fs::path root = fs::canonical(workspace);
  fs::path path = fs::canonical(root / name, error);
  if (error || !fs::is_regular_file(path, error))
    throw Error(ErrorCode::not_found, what + ": there is no file " + in_quotes(name) +
                                          " in the workspace; is it an artifact of a job in `needs`?");
  if (!lies_below(path, root))
    throw Error(ErrorCode::invalid_input, what + ": " + in_quotes(name) + " is outside of the workspace");
  return path;
}

std::string digest_of(const fs::path& file) {
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) throw_errno("cannot read " + in_quotes(file.native()));
  Sha256 digest;
  std::string piece(kPiece, '\0');
  for (;;) {
    const ssize_t size = ::read(fd.get(), piece.data(), piece.size());
    if (size == 0) return digest.finish_hex();
    if (size > 0)
      digest.update({piece.data(), static_cast<std::size_t>(size)});
    else if (errno != EINTR)
      throw_errno("cannot read " + in_quotes(file.native()));
  }
}

std::string render(const std::string& text, const std::string& file,
                   const std::map<std::string, std::string>& variables) {
  std::string out;
  std::size_t line = 1;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('}', at);
    const bool opens = text.compare(at, 2, "${") == 0 && end != std::string::npos;
    const std::string name = opens ? text.substr(at + 2, end - at - 2) : "";
    if (!pipelines::is_variable_name(name) || name.empty()) {
      if (text[at] == '\n') ++line;
      out += text[at++];
      continue;
    }
    const auto value = variables.find(name);
    if (value == variables.end())
      throw Error(ErrorCode::invalid_input, "deploy:release:config: " + file + ":" + std::to_string(line) +
                                                ": the job has no variable " + in_quotes(name));
    out += value->second;
    at = end + 1;
  }
  return out;
}

ReleaseFile config_file(const std::string& name, const ReleasePlace& place) {
  const std::string what = "deploy:release:config";
  ReleaseFile file;
  file.local = file_in(place.workspace, name, what);
  file.path = fs::path(name).filename();
  if (file.path.size() > kTemplate.size() && file.path.ends_with(kTemplate)) {
    file.path.resize(file.path.size() - kTemplate.size());
    const std::string text = render(read_file(file.local).value_or(""), name, place.variables);
    make_directories(place.rendered, 0700);
    file.local = place.rendered / file.path;
    write_file_atomic(file.local, text, 0600, false);
  }
  file.sha256 = digest_of(file.local);
  return file;
}

void check_image(const std::string& image) {
  const std::size_t at = image.find("@sha256:");
  constexpr std::size_t kHexDigits = 64;
  if (at != std::string::npos && at > 0 && image.size() == at + 8 + kHexDigits &&
      image.find_first_not_of("0123456789abcdef", at + 8) == std::string::npos)
    return;
  throw Error(
      ErrorCode::invalid_input,
      "deploy:release:image: " + in_quotes(image) +
          " has no digest, and what a tag names may change: write NAME@sha256:..., as $IMAGE is in jobs "
          "that need the job which built it");
}

}  // namespace

Release make_release(const pipelines::ReleaseSource& source, const ReleasePlace& place) {
  Release release;
  if (!source.image.empty()) {
    check_image(source.image);
    release.image = source.image;
  }
  if (!source.artifact.empty()) {
    const fs::path local = file_in(place.workspace, source.artifact, "deploy:release:artifact");
    release.artifact = ReleaseFile{local.filename(), local, digest_of(local)};
  }
  std::set<std::string> names;
  for (const std::string& name : source.config) {
    release.config.push_back(config_file(name, place));
    if (!names.insert(release.config.back().path).second)
      throw Error(ErrorCode::invalid_input,
                  "deploy:release:config: there are two files " + in_quotes(release.config.back().path));
  }
  std::string parts = "release 1\n" + release.image + "\n";
  if (release.artifact) parts += release.artifact->sha256 + "\n";
  for (const ReleaseFile& file : release.config) parts += file.path + " " + file.sha256 + "\n";
  if (release.image.empty() && !release.artifact) parts += place.sha + "\n";
  release.id = sha256_hex(parts).substr(0, kIdDigits);
  return release;
}

}  // namespace runner::deployments
