#pragma once
// The keys a job's cache is found and saved under, and what they were made of. Pure but for the questions it
// asks the checkout.

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cache/layer_store.h"
#include "pipelines/plan.h"

namespace runner::engine {

struct CacheKeyFacts {
  std::function<std::string(std::string_view)> expand;                        // variables at job time
  std::function<std::optional<std::string>(std::string_view)> blob_id;        // may be empty
  std::function<std::optional<std::string>(std::string_view)> last_commit;    // may be empty
  std::function<std::vector<std::string>(std::string_view pattern)> tracked;  // may be empty
  bool ref_protected = false;
  std::string fallback_key;              // CACHE_FALLBACK_KEY
  std::span<const std::string> secrets;  // what must not be written to the disk
};

struct CacheKeys {
  std::string key;                   // empty: this cache is skipped
  std::vector<std::string> lookup;   // in order, `key` first
  std::vector<std::string> notices;  // for the log
  cache::EntryFacts facts;           // family and inputs, of `key`
};

CacheKeys cache_keys(const pipelines::CacheSpec& spec, std::size_t index, const CacheKeyFacts& facts);

/// "%2F", "%2E" and backslashes decoded, "." and ".." resolved against a virtual root, trailing blanks cut.
std::string normalize_cache_key(std::string_view key);

/// `text` with every secret in it replaced by a digest: two texts are the same only when their secrets are.
std::string without_secrets(std::string text, std::span<const std::string> secrets);

}  // namespace runner::engine
