#include "executors/containers/image_records.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "runner/base/fd.h"
#include "runner/base/files.h"
#include "runner/base/text.h"

namespace runner::executors {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr const char* kLockFile = ".lock";
constexpr unsigned kPrivate = 0600;

std::string hex_of(const std::string& id) {
  const std::size_t colon = id.find(':');
  return colon == std::string::npos ? id : id.substr(colon + 1);
}

bool is_hex(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

/// One process at a time adds names to a record.
UniqueFd lock(const fs::path& directory) {
  const fs::path file = directory / kLockFile;
  UniqueFd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, kPrivate));
  if (!fd) throw_errno("cannot open " + in_quotes(file.native()));
  while (::flock(fd.get(), LOCK_EX) != 0)
    if (errno != EINTR) throw_errno("cannot lock " + in_quotes(file.native()));
  return fd;
}

}  // namespace

std::vector<std::string> ImageRecords::all_images(const EngineApi& api, const std::stop_token& stop) {
  const std::string body = api.expect({"GET", "/images/json?all=1"}, "list the images there are", stop);
  const Json json = Json::parse(body, nullptr, false);
  if (!json.is_array()) throw Error(ErrorCode::unavailable, "the engine's list of images cannot be read");
  std::vector<std::string> ids;
  for (const Json& image : json)
    if (image.is_object()) ids.push_back(hex_of(image.value("Id", "")));
  return ids;
}

fs::path ImageRecords::file_of(const std::string& id) const {
  const std::string hex = hex_of(id);
  if (!is_hex(hex)) throw Error(ErrorCode::unavailable, in_quotes(to_utf8(id)) + " is no id of an image");
  return directory_ / hex;
}

void ImageRecords::pulled(const std::string& id, const std::string& name,
                          const std::vector<std::string>& before) const {
  if (!kept()) return;
  make_directories(directory_, 0700);
  const UniqueFd locked = lock(directory_);
  auto record = find(id);
  if (!record) {
    if (std::find(before.begin(), before.end(), hex_of(id)) != before.end()) return;
    record = PulledImage{id, {}, {}};
  }
  if (std::find(record->names.begin(), record->names.end(), name) == record->names.end())
    record->names.push_back(name);
  write_file_atomic(file_of(id), Json{{"id", id}, {"names", record->names}}.dump(), kPrivate);
}

void ImageRecords::used(const std::string& id) const {
  if (kept() && ::utimensat(AT_FDCWD, file_of(id).c_str(), nullptr, 0) != 0 && errno != ENOENT)
    throw_errno("cannot mark " + in_quotes(file_of(id).native()));
}

std::optional<PulledImage> ImageRecords::find(const std::string& id) const {
  if (!kept()) return std::nullopt;
  const fs::path file = file_of(id);
  struct stat info {};
  const auto text = read_file(file);
  if (!text || ::stat(file.c_str(), &info) != 0) return std::nullopt;
  const Json json = Json::parse(*text, nullptr, false);
  PulledImage image;
  try {
    image.id = json.at("id");
    image.names = json.at("names").get<std::vector<std::string>>();
  } catch (const Json::exception&) {
    throw Error(ErrorCode::corrupt,
                in_quotes(file.native()) + " is damaged; remove it, and its image is kept for ever");
  }
  image.used =
      std::chrono::system_clock::time_point(std::chrono::duration_cast<std::chrono::system_clock::duration>(
          std::chrono::seconds(info.st_mtim.tv_sec) + std::chrono::nanoseconds(info.st_mtim.tv_nsec)));
  return image;
}

std::vector<PulledImage> ImageRecords::list() const {
  std::vector<PulledImage> images;
  if (!kept() || !fs::exists(directory_)) return images;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory_)) {
    const std::string name = entry.path().filename().native();
    if (!is_hex(name)) continue;  // the lock, and what is being written
    if (auto image = find(name)) images.push_back(std::move(*image));
  }
  std::sort(images.begin(), images.end(),
            [](const PulledImage& a, const PulledImage& b) { return a.used < b.used; });
  return images;
}

void ImageRecords::forget(const std::string& id) const {
  if (kept()) remove_tree(file_of(id));
}

}  // namespace runner::executors
