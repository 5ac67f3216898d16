#include "runner/engine/cache_keys.h"

#include <algorithm>

#include "runner/base/digest.h"
#include "runner/base/text.h"

namespace runner::engine {
namespace {

constexpr std::string_view kProtected = "-protected";

std::string digest_of_files(const pipelines::CacheKey& key, const CacheKeyFacts& facts) {
  std::vector<std::string> paths;
  for (const std::string& file : key.files) {
    if (file.find('*') != std::string::npos && facts.tracked) {
      for (std::string& path : facts.tracked(file)) paths.push_back(std::move(path));
    } else {
      paths.push_back(file);
    }
  }
  const auto& id_of = key.by_commit ? facts.last_commit : facts.blob_id;
  std::vector<std::string> ids;
  for (const std::string& path : paths) {
    if (auto id = id_of ? id_of(path) : std::nullopt) ids.push_back(std::move(*id));
  }
  if (ids.empty()) return "default";
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return sha1_hex(join(ids, "-"));
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

CacheKeys cache_keys(const pipelines::CacheSpec& spec, std::size_t index, const CacheKeyFacts& facts) {
  CacheKeys keys;
  const std::string suffix =
      facts.ref_protected && !spec.unprotect ? std::string(kProtected) : "-non_protected";
  const auto prepare = [&](const std::string& expanded) {
    std::string normal = normalize_cache_key(expanded);
    if (normal != expanded)
      keys.notices.push_back("cache key '" + expanded + "' is taken as '" + normal + "'");
    return normal.empty() ? normal : normal + suffix;
  };
  if (spec.key.files.empty()) {
    keys.key = prepare(spec.key.text.empty() ? "default" : facts.expand(spec.key.text));
  } else {
    const std::string prefix =
        spec.key.prefix.empty() ? name_of_files(spec.key.files, index) : facts.expand(spec.key.prefix);
    keys.key = prepare(prefix + "-" + digest_of_files(spec.key, facts));
  }
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
  if (facts.fallback_key.ends_with(kProtected)) {
    keys.notices.push_back("CACHE_FALLBACK_KEY '" + facts.fallback_key +
                           "' is refused: it must not end in '-protected'");
  } else if (!facts.fallback_key.empty()) {
    look_also_for(prepare(facts.fallback_key));
    look_also_for(normalize_cache_key(facts.fallback_key));
  }
  return keys;
}

}  // namespace runner::engine
