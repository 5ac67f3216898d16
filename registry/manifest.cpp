#include "registry/manifest.h"

#include <sys/utsname.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "registry/reference.h"
#include "registry/shown.h"
#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::registry {
namespace {

using nlohmann::json;

constexpr std::size_t kMostEntries = 10'000;
constexpr std::size_t kMostShown = 12;
constexpr std::string_view kSchema1 = "application/vnd.docker.distribution.manifest.v1";

[[noreturn]] void refuse(const std::string& why) {
  throw Error(ErrorCode::corrupt, "the manifest " + why + "; have the image pushed again");
}

json parse(std::string_view bytes) {
  json all = json::parse(bytes, nullptr, false);
  if (!all.is_object()) refuse("is no object of JSON");
  return all;
}

std::string text_of(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Descriptor descriptor_of(const json& object) {
  if (!object.is_object()) refuse("has a part that is none");
  Descriptor part{text_of(object, "mediaType"), text_of(object, "digest"), 0};
  try {
    check_digest(part.digest);
  } catch (const Error&) {
    refuse("has a part without a good digest: " + shown(part.digest));
  }
  const auto size = object.find("size");
  if (size == object.end() || !size->is_number_unsigned()) refuse("has a part without its size");
  part.size = size->get<std::uint64_t>();
  return part;
}

const json& array_of(const json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_array()) refuse("has no list " + in_quotes(name));
  if (found->size() > kMostEntries) refuse("lists more than " + std::to_string(kMostEntries) + " parts");
  return *found;
}

/// "v7" is 7, none 0.
int number_of(std::string_view variant) {
  if (variant.starts_with('v')) variant.remove_prefix(1);
  return static_cast<int>(std::clamp<std::int64_t>(parse_integer(variant).value_or(0), 0, 99));
}

/// What is not said: arm64 is v8, amd64 is v1.
int level_of(const Platform& platform) {
  const int level = number_of(platform.variant);
  if (level != 0) return level;
  if (platform.architecture == "arm64") return 8;
  return platform.architecture == "amd64" ? 1 : 0;
}

std::string media_type_only(std::string_view content_type) {
  return to_lower(trim(content_type.substr(0, content_type.find(';'))));
}

}  // namespace

std::string Platform::text() const {
  return os + '/' + architecture + (variant.empty() ? "" : '/' + variant);
}

Platform this_platform() {
  struct utsname name {};
  ::uname(&name);
  const std::string machine = static_cast<const char*>(name.machine);
  if (machine == "x86_64") return {"linux", "amd64", ""};
  if (machine == "aarch64") return {"linux", "arm64", ""};
  if (machine == "armv7l" || machine == "armv8l") return {"linux", "arm", "v7"};
  if (machine == "armv6l") return {"linux", "arm", "v6"};
  if (machine == "i686" || machine == "i586") return {"linux", "386", ""};
  return {"linux", machine, ""};  // riscv64, ppc64le, s390x are called the same
}

const std::vector<std::string>& manifest_types() {
  static const std::vector<std::string> types = {"application/vnd.oci.image.index.v1+json",
                                                 "application/vnd.oci.image.manifest.v1+json",
                                                 "application/vnd.docker.distribution.manifest.list.v2+json",
                                                 "application/vnd.docker.distribution.manifest.v2+json"};
  return types;
}

bool is_index(std::string_view media_type) {
  return media_type == manifest_types()[0] || media_type == manifest_types()[2];
}

std::string manifest_type(std::string_view bytes, std::string_view content_type) {
  const std::string told = media_type_only(content_type);
  if (told.starts_with("text/html")) refuse("is a page for browsers; check the address");
  if (told.starts_with(kSchema1))
    refuse("is of schema 1, which no engine takes any more (" + shown(told) + ")");
  const std::string own = text_of(parse(bytes), "mediaType");
  const auto is_known = [](const std::string& type) {
    return std::find(manifest_types().begin(), manifest_types().end(), type) != manifest_types().end();
  };
  // OCI leaves its own field out often; stores send what they keep as anything.
  const bool is_told = is_known(told);
  if (!own.empty() && is_told && own != told)
    refuse("calls itself " + shown(own) + " and is sent as " + shown(told));
  std::string type = is_told ? told : own;
  if (!is_known(type)) refuse("is of a kind that we do not know: " + shown(type.empty() ? told : type));
  return type;
}

std::vector<IndexEntry> parse_index(std::string_view bytes) {
  const json all = parse(bytes);
  std::vector<IndexEntry> entries;
  for (const json& one : array_of(all, "manifests")) {
    IndexEntry entry{descriptor_of(one), {"", "", ""}};
    const auto platform = one.find("platform");
    if (platform != one.end() && platform->is_object())
      entry.platform = {text_of(*platform, "os"), text_of(*platform, "architecture"),
                        text_of(*platform, "variant")};
    entries.push_back(std::move(entry));
  }
  return entries;
}

const IndexEntry& choose_platform(const std::vector<IndexEntry>& entries, const Platform& wanted) {
  const IndexEntry* best = nullptr;
  std::vector<std::string> there;
  for (const IndexEntry& entry : entries) {
    const Platform& platform = entry.platform;
    if (platform.architecture.empty() || platform.architecture == "unknown") continue;  // an attestation
    if (there.size() < kMostShown) there.push_back(harmless(platform.text(), 40));
    const bool fits =
        platform.os == wanted.os && platform.architecture == wanted.architecture &&
        (wanted.variant.empty() && wanted.architecture == "arm" ? true
                                                                : level_of(platform) <= level_of(wanted));
    if (fits && (best == nullptr || level_of(platform) > level_of(best->platform))) best = &entry;
  }
  if (best != nullptr) return *best;
  throw Error(ErrorCode::not_found, "there is nothing for " + shown(wanted.text()) + "; there is " +
                                        (there.empty() ? "none that names a platform" : join(there, ", ")) +
                                        ": take an image that is built for it");
}

ImageParts parse_image(std::string_view bytes) {
  const json all = parse(bytes);
  ImageParts parts;
  const auto config = all.find("config");
  if (config == all.end()) refuse("names no configuration");
  parts.config = descriptor_of(*config);
  for (const json& layer : array_of(all, "layers")) parts.layers.push_back(descriptor_of(layer));
  return parts;
}

}  // namespace runner::registry
