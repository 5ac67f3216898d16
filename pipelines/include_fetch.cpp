#include <fmt/core.h>

#include <algorithm>
#include <array>

#include "pipelines/file_loader.h"
#include "runner/base/digest.h"
#include "runner/base/text.h"

namespace runner::pipelines {
namespace {

constexpr std::string_view kIntegrityPrefix = "sha256-";

/// Base64 of a digest given in hex.
std::string base64_of_hex(std::string_view hex) {
  static constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const auto nibble = [](char c) { return static_cast<std::uint32_t>(c <= '9' ? c - '0' : c - 'a' + 10); };
  std::string out;
  std::uint32_t bits = 0;
  std::uint32_t count = 0;
  for (const char c : hex) {
    bits = (bits << 4U) | nibble(c);
    count += 4;
    if (count >= 6) {
      count -= 6;
      out += kDigits[(bits >> count) & 63U];
    }
  }
  if (count > 0) out += kDigits[(bits << (6U - count)) & 63U];
  while (out.size() % 4 != 0) out += '=';
  return out;
}

struct ComponentAddress {
  std::string host, project, name, version;
};

std::optional<ComponentAddress> parse_component(std::string_view text) {
  const std::size_t at = text.rfind('@');
  if (at == std::string_view::npos || at + 1 == text.size()) return std::nullopt;
  const std::string_view path = text.substr(0, at);
  const std::size_t host = path.find('/');
  const std::size_t name = path.rfind('/');
  if (host == std::string_view::npos || host == 0 || name == host || name + 1 == path.size())
    return std::nullopt;
  return ComponentAddress{std::string(path.substr(0, host)),
                          std::string(path.substr(host + 1, name - host - 1)),
                          std::string(path.substr(name + 1)), std::string(text.substr(at + 1))};
}

std::string with_reason(std::string message, const std::string& why) {
  return why.empty() ? message : fmt::format("{}: {}", message, why);
}

}  // namespace

std::vector<FileLoader::Fetched> FileLoader::fetch(const IncludeItem& item, const Origin& origin) {
  std::vector<Fetched> out;
  switch (item.kind) {
    case IncludeKind::local:
      fetch_local(item, origin, out);
      break;
    case IncludeKind::project:
      fetch_project(item, out);
      break;
    case IncludeKind::remote:
      fetch_remote(item, out);
      break;
    case IncludeKind::component:
      fetch_component(item, out);
      break;
    case IncludeKind::template_file:
      missing(item.where,
              fmt::format("template '{}' is not available: no templates are shipped", item.source),
              "copy the template into the repository and include it as 'local'");
      break;
  }
  for (const Fetched& file : out) {
    if (trim(file.text).empty()) missing(file.where, fmt::format("included file '{}' is empty", file.name));
  }
  out.erase(
      std::remove_if(out.begin(), out.end(), [](const Fetched& file) { return trim(file.text).empty(); }),
      out.end());
  return out;
}

bool FileLoader::is_yaml_path(const std::string& path, const SourceRange& where) {
  if (has_yaml_suffix(path)) return true;
  missing(where, fmt::format("included file '{}' is not a YAML file", path),
          "its name must end in .yml or .yaml");
  return false;
}

void FileLoader::fetch_local(const IncludeItem& item, const Origin& origin, std::vector<Fetched>& out) {
  if (origin.kind == Origin::Kind::nowhere) {
    return missing(item.where, fmt::format("no project for local file '{}'", item.source),
                   "files fetched by URL cannot include 'local'");
  }
  if (!is_yaml_path(item.source, item.where)) return;
  const auto path = normal_path(item.source);
  if (!path)
    return missing(item.where, fmt::format("local file '{}' is outside of the repository", item.source));
  if (path->find('*') != std::string::npos) {
    if (origin.kind == Origin::Kind::root) return fetch_matching(item, *path, out);
    return missing(
        item.where,
        fmt::format("wildcards in '{}' cannot be used inside a file of another project", item.source),
        "name the files one by one");
  }
  std::string why;
  const auto text = origin.kind == Origin::Kind::root
                        ? loading_.context.includes.read_local(*path)
                        : loading_.context.includes.read_project(origin.project, origin.ref, *path, why);
  if (text) {
    const std::string name = origin.kind == Origin::Kind::root
                                 ? *path
                                 : fmt::format("{}@{}:{}", origin.project, origin.ref, *path);
    out.push_back({name, *text, origin, item.where, {}});
    return;
  }
  std::string help;
  if (origin.kind == Origin::Kind::root && loading_.context.list_files) {
    std::vector<std::string_view> candidates;
    for (const std::string& file : loading_.context.list_files()) {
      if (has_yaml_suffix(file)) candidates.emplace_back(file);
    }
    if (const auto near = nearest(*path, candidates)) help = fmt::format("did you mean '{}'?", *near);
  }
  missing(item.where, with_reason(fmt::format("local file '{}' not found", *path), why), std::move(help));
}

void FileLoader::fetch_matching(const IncludeItem& item, const std::string& pattern,
                                std::vector<Fetched>& out) {
  const std::string_view prefix = std::string_view(pattern).substr(0, pattern.find('*'));
  if (loading_.context.list_files) {
    for (const std::string& path : loading_.context.list_files()) {
      const bool candidate = path.compare(0, prefix.size(), prefix) == 0 && has_yaml_suffix(path);
      if (!candidate || !matches_include_pattern(pattern, path)) continue;
      if (out.size() > kMaxIncludedFiles) break;  // one too many is enough for the error
      auto text = loading_.context.includes.read_local(path);
      if (text) out.push_back({path, *std::move(text), {}, item.where, {}});
    }
  }
  if (out.empty())
    loading_.diagnostics.notice("include-no-match", item.where,
                                fmt::format("no file matches '{}'", item.source));
}

void FileLoader::fetch_project(const IncludeItem& item, std::vector<Fetched>& out) {
  for (const auto& [file, where] : item.files) {
    if (!is_yaml_path(file, where)) continue;
    const auto path = normal_path(file);
    if (!path) {
      missing(where, fmt::format("file '{}' is outside of the project", file));
      continue;
    }
    std::string why;
    auto text = loading_.context.includes.read_project(item.source, item.ref, *path, why);
    if (text) {
      out.push_back({fmt::format("{}@{}:{}", item.source, item.ref, *path),
                     *std::move(text),
                     {Origin::Kind::project, item.source, item.ref},
                     where,
                     {}});
      continue;
    }
    missing(item.where, with_reason(fmt::format("project '{}' not found or access denied, needed for '{}'",
                                                item.source, *path),
                                    why));
    break;  // the other files of the project would only repeat it
  }
}

void FileLoader::fetch_remote(const IncludeItem& item, std::vector<Fetched>& out) {
  const std::string path = item.source.substr(0, item.source.find_first_of("?#"));
  if (!is_yaml_path(path, item.where)) return;
  std::string why;
  auto text = loading_.context.includes.read_remote(item.source, why);
  if (!text)
    return missing(item.where, with_reason(fmt::format("remote file '{}' cannot be read", item.source), why));
  if (!item.integrity.empty()) {
    const std::string expected = std::string(kIntegrityPrefix) + base64_of_hex(sha256_hex(*text));
    if (item.integrity.compare(0, kIntegrityPrefix.size(), kIntegrityPrefix) != 0) {
      return missing(item.integrity_where, "include 'integrity' must be 'sha256-' and a base64 digest");
    }
    if (item.integrity != expected) {
      return missing(item.integrity_where, fmt::format("integrity of '{}' does not match", item.source),
                     fmt::format("the content that came has '{}'", expected));
    }
  }
  out.push_back({item.source, *std::move(text), {Origin::Kind::nowhere, "", ""}, item.where, {}});
}

void FileLoader::fetch_component(const IncludeItem& item, std::vector<Fetched>& out) {
  const auto address = parse_component(item.source);
  if (!address) {
    return missing(item.where, fmt::format("component '{}' is no address", item.source),
                   "write host/project/name@version");
  }
  if (address->host != loading_.context.server_host) {
    return missing(item.where,
                   fmt::format("component '{}': host '{}' not configured", item.source, address->host));
  }
  std::string why;
  const std::array<std::string, 2> paths = {fmt::format("templates/{}.yml", address->name),
                                            fmt::format("templates/{}/template.yml", address->name)};
  for (const std::string& path : paths) {
    auto text = loading_.context.includes.read_project(address->project, address->version, path, why);
    if (!text) continue;
    const ComponentFields fields = {{"name", address->name}, {"reference", address->version}};
    out.push_back({fmt::format("{}@{}:{}", address->project, address->version, path),
                   *std::move(text),
                   {Origin::Kind::project, address->project, address->version},
                   item.where,
                   fields});
    return;
  }
  missing(item.where, with_reason(fmt::format("component '{}' not found", item.source), why));
}

}  // namespace runner::pipelines
