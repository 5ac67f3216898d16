// What is asked of a request and what is said of its image.
#include "builds/oci_labels.h"

#include <algorithm>
#include <array>
#include <ctime>

#include "builds/image_build.h"
#include "registry/reference.h"
#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::builds {
namespace {

// RFC 3339.
std::string time_text(std::int64_t seconds) {
  const auto time = static_cast<std::time_t>(seconds);
  std::tm parts{};
  std::array<char, 40> text{};
  if (::gmtime_r(&time, &parts) == nullptr) return {};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

bool only_of(std::string_view text, std::string_view more) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           more.find(c) != std::string_view::npos;
  });
}

bool is_platform(std::string_view text) {
  const auto parts = split(text, '/');
  return (parts.size() == 2 || parts.size() == 3) &&
         std::all_of(parts.begin(), parts.end(), [](std::string_view part) { return only_of(part, "_-."); });
}

bool is_variable(std::string_view name) {
  return only_of(name, "_-.") && !(name.front() >= '0' && name.front() <= '9') && name.front() != '-';
}

std::string reference_fault(const std::string& text, const char* key) {
  try {
    const auto reference = registry::parse_reference(text);
    if (!reference.digest.empty())
      return std::string(key) + ": " + in_quotes(text) + " has a digest; name a tag";
  } catch (const Error& error) {
    return std::string(key) + ": " + error.what();
  }
  return {};
}

}  // namespace

std::map<std::string, std::string> oci_labels(const BuildRequest& request) {
  std::map<std::string, std::string> labels = request.labels;
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) labels[std::string("org.opencontainers.image.") + name] = value;
  };
  add("revision", request.revision);
  add("source", request.source);
  add("version", request.version);
  if (request.created > 0) add("created", time_text(request.created));
  return labels;
}

std::string fault_of(const BuildRequest& request) {
  if (!request.workspace.is_absolute()) return "the workspace has no absolute path";
  if (request.tags.empty())
    return "tags: there is none; an image needs a name, such as registry.example/app:main";
  for (const std::string& tag : request.tags)
    if (auto fault = reference_fault(tag, "tags"); !fault.empty()) return fault;
  for (const std::string& from : request.cache.from)
    if (auto fault = reference_fault(from, "cache"); !fault.empty()) return fault;
  if (!request.cache.to.empty())
    if (auto fault = reference_fault(request.cache.to, "cache"); !fault.empty()) return fault;
  for (const auto& [name, value] : request.args) {
    if (!is_variable(name)) return "args: " + in_quotes(to_utf8(name)) + " is no name of an argument";
    if (value.find('\0') != std::string::npos)
      return "args: the value of " + in_quotes(name) + " holds a NUL";
  }
  for (const auto& [id, value] : request.secrets)
    if (!only_of(id, "_-."))
      return "secrets: " + in_quotes(to_utf8(id)) + " is no id; it has letters, digits, '_', '-' and '.'";
  for (const std::string& platform : request.platforms)
    if (!is_platform(platform))
      return "platforms: " + in_quotes(to_utf8(platform)) + " is none; one looks like 'linux/arm64'";
  if (request.platforms.size() > 1 && !request.push)
    return "platforms: an image for several can only be pushed, as an engine keeps one of them under a name; "
           "set "
           "'push', or name one";
  return {};
}

}  // namespace runner::builds
