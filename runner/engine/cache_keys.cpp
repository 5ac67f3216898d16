#include "runner/engine/cache_keys.h"

#include <algorithm>
#include <utility>

#include "pipelines/variable_scan.h"
#include "runner/base/digest.h"
#include "runner/base/text.h"

namespace runner::engine {
namespace {

constexpr std::string_view kProtected = "-protected";
constexpr std::string_view kUnprotected = "-non_protected";
constexpr std::size_t kSecretDigits = 16;

using Inputs = std::vector<std::pair<std::string, std::string>>;

/// The files a key is made of that are there, with their ids.
Inputs files_of(const pipelines::CacheKey& key, const CacheKeyFacts& facts) {
  std::vector<std::string> paths;
  for (const std::string& file : key.files) {
    if (file.find('*') != std::string::npos && facts.tracked) {
      for (std::string& path : facts.tracked(file)) paths.push_back(std::move(path));
    } else {
      paths.push_back(file);
    }
  }
  const auto& id_of = key.by_commit ? facts.last_commit : facts.blob_id;
  Inputs found;
  for (std::string& path : paths) {
    if (auto id = id_of ? id_of(path) : std::nullopt) found.emplace_back(std::move(path), std::move(*id));
  }
  return found;
}

std::string digest_of(const Inputs& files) {
  if (files.empty()) return "default";
  std::vector<std::string> ids;
  ids.reserve(files.size());
  for (const auto& [path, id] : files) ids.push_back(id);
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return sha1_hex(join(ids, "-"));
}

/// The value of each variable that `text` names.
void add_variables(std::string_view text, const CacheKeyFacts& facts, Inputs& inputs) {
  pipelines::scan_references(text, pipelines::ScanMode::job, [&](const pipelines::ScanPart& part) {
    if (part.kind == pipelines::ScanKind::text) return;
    inputs.emplace_back("$" + std::string(part.name),
                        without_secrets(facts.expand(part.text), facts.secrets));
  });
}

/// "0_Gemfile_package": the position and the file names up to their first dot.
std::string name_of_files(const std::vector<std::string>& files, std::size_t index) {
  std::string name = std::to_string(index);
  for (const std::string& file : files) {
    const std::string base = file.substr(file.rfind('/') + 1);
    name += "_" + base.substr(0, base.find('.'));
  }
  return name;
}

}  // namespace

std::string normalize_cache_key(std::string_view key) {
  std::string text = replace_all(key, "%2F", "/");
  for (const auto& [from, to] : {std::pair{"%2f", "/"}, {"%2E", "."}, {"%2e", "."}, {"\\", "/"}}) {
    text = replace_all(text, from, to);
  }
  std::vector<std::string> parts;
  for (const std::string_view part : split(text, '/')) {
    if (part.empty() || part == ".") continue;
    if (part == "..") {
      if (!parts.empty()) parts.pop_back();
    } else {
      parts.emplace_back(part);
    }
  }
  text = join(parts, "/");
  const std::size_t end = text.find_last_not_of(" \t\r\n\v\f");
  return end == std::string::npos ? std::string() : text.substr(0, end + 1);
}

std::string without_secrets(std::string text, std::span<const std::string> secrets) {
  // The longest first: one secret may be a part of another.
  std::vector<std::string_view> found;
  for (const std::string& secret : secrets) {
    if (!secret.empty() && text.find(secret) != std::string::npos) found.push_back(secret);
  }
  std::sort(found.begin(), found.end(), [](auto a, auto b) { return a.size() > b.size(); });
  for (const std::string_view secret : found) {
    text = replace_all(text, secret, "masked-" + sha256_hex(secret).substr(0, kSecretDigits));
  }
  return text;
}

CacheKeys cache_keys(const pipelines::CacheSpec& spec, std::size_t index, const CacheKeyFacts& facts) {
  CacheKeys keys;
  const std::string suffix =
      facts.ref_protected && !spec.unprotect ? std::string(kProtected) : std::string(kUnprotected);
  const auto prepare = [&](const std::string& written) {
    const std::string expanded = without_secrets(written, facts.secrets);
    std::string normal = normalize_cache_key(expanded);
    if (normal != expanded)
      keys.notices.push_back("cache key '" + expanded + "' is taken as '" + normal + "'");
    return normal.empty() ? normal : normal + suffix;
  };
  if (spec.key.files.empty()) {
    const std::string text = spec.key.text.empty() ? "default" : spec.key.text;
    keys.key = prepare(facts.expand(text));
    keys.facts.family = "text:" + text + suffix;
    add_variables(text, facts, keys.facts.inputs);
  } else {
    const std::string prefix =
        spec.key.prefix.empty() ? name_of_files(spec.key.files, index) : spec.key.prefix;
    const Inputs files = files_of(spec.key, facts);
    keys.key = prepare((spec.key.prefix.empty() ? prefix : facts.expand(prefix)) + "-" + digest_of(files));
    keys.facts.family = (spec.key.by_commit ? "files_commits:" : "files:") + join(spec.key.files, ",") +
                        " prefix:" + prefix + suffix;
    keys.facts.inputs = files;
    if (!spec.key.prefix.empty()) add_variables(prefix, facts, keys.facts.inputs);
  }
  std::sort(keys.facts.inputs.begin(), keys.facts.inputs.end());
  keys.facts.inputs.erase(std::unique(keys.facts.inputs.begin(), keys.facts.inputs.end()),
                          keys.facts.inputs.end());
  if (keys.key.empty()) {
    keys.notices.emplace_back("the cache key is empty; this cache is skipped");
    return keys;
  }
  keys.lookup.push_back(keys.key);
  const auto look_also_for = [&](std::string key) {
    if (!key.empty() && std::find(keys.lookup.begin(), keys.lookup.end(), key) == keys.lookup.end()) {
      keys.lookup.push_back(std::move(key));
    }
  };
  for (const std::string& fallback : spec.fallback_keys) look_also_for(prepare(facts.expand(fallback)));
  // Looked at as it will be used: "x-protected/." is that key as well.
  const std::string last = normalize_cache_key(without_secrets(facts.fallback_key, facts.secrets));
  if (last.ends_with(kProtected)) {
    keys.notices.push_back("CACHE_FALLBACK_KEY '" + facts.fallback_key +
                           "' is refused: it must not end in '-protected'");
  } else if (!facts.fallback_key.empty()) {
    look_also_for(prepare(facts.fallback_key));
    look_also_for(last);
  }
  return keys;
}

}  // namespace runner::engine
