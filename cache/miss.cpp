// Looking caches up, and saying why one was not there.
#include <algorithm>
#include <chrono>

#include "cache/caches.h"
#include "runner/base/text.h"

namespace runner::cache {
namespace {

using Inputs = std::vector<std::pair<std::string, std::string>>;

// Blob ids and digests say nothing to people; names of branches do.
constexpr std::size_t kLongestShown = 40;

bool is_digest(std::string_view value) {
  return value.size() >= 32 && value.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

std::string describe_change(const std::string& name, const std::string* before, const std::string* now) {
  if (before == nullptr || (before->empty() && now != nullptr && is_digest(*now))) return name + " is new";
  if (now == nullptr || (now->empty() && is_digest(*before))) return name + " is gone";
  const bool shown = !is_digest(*before) && before->size() <= kLongestShown;
  return shown ? name + " was " + in_quotes(*before) : name + " changed";
}

/// Both sorted by name.
std::vector<std::string> differences(const Inputs& before, const Inputs& now) {
  std::vector<std::string> all;
  auto one = before.begin();
  auto other = now.begin();
  while (one != before.end() || other != now.end()) {
    const bool only_before = other == now.end() || (one != before.end() && one->first < other->first);
    const bool only_now = one == before.end() || (other != now.end() && other->first < one->first);
    if (only_before) {
      all.push_back(describe_change(one->first, &one->second, nullptr));
      ++one;
    } else if (only_now) {
      all.push_back(describe_change(other->first, nullptr, &other->second));
      ++other;
    } else {
      if (one->second != other->second)
        all.push_back(describe_change(one->first, &one->second, &other->second));
      ++one;
      ++other;
    }
  }
  return all;
}

std::string age(TimePoint then, TimePoint now) {
  return format_duration(std::max(now - then, std::chrono::milliseconds(0)));
}

/// `get` asks the store for one name.
template <typename Get>
FoundCache look_up(LayerStore& layers, const std::string& scope, std::span<const std::string> keys,
                   const EntryFacts& facts, const Get& get) {
  FoundCache found;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const EntryName name{Space::cache, scope, keys[i]};
    std::string why;
    found.hit = get(name, &why);
    if (found.hit) return found;
    CacheMiss& miss = found.missed.emplace_back();
    miss.key = keys[i];
    if (!why.empty()) {
      miss.reason = Miss::damaged;
      miss.detail = std::move(why);
    } else if (const auto eviction = layers.eviction(name)) {
      miss.reason = Miss::evicted;
      miss.detail = describe(*eviction, SystemClock().now());
    } else if (i == 0 && !facts.family.empty()) {
      const auto last = layers.newest_of_family(Space::cache, scope, facts.family);
      if (!last || last->name.key == keys[i]) continue;
      miss.reason = Miss::key_changed;
      miss.detail = join(differences(last->facts.inputs, facts.inputs), ", ");
    }
  }
  return found;
}

}  // namespace

std::string describe(const Eviction& eviction, TimePoint now) {
  std::string text = "removed " + age(eviction.at, now) + " ago";
  switch (eviction.reason) {
    case EvictionReason::budget:
      text = "evicted " + age(eviction.at, now) + " ago to make room";
      break;
    case EvictionReason::unused:
      text = "evicted " + age(eviction.at, now) + " ago, last used " + age(eviction.used_at, eviction.at) +
             " before";
      break;
    case EvictionReason::removed:
      break;
    case EvictionReason::damaged:
      text += ", as it was damaged";
      break;
    case EvictionReason::expired:
      text = "expired " + age(eviction.at, now) + " ago";
      break;
  }
  return eviction.detail.empty() ? text : text + ": " + eviction.detail;
}

FoundCache Caches::find(const std::string& scope, std::span<const std::string> keys,
                        const EntryFacts& facts) {
  return look_up(layers_, scope, keys, facts,
                 [this](const EntryName& name, std::string* why) { return layers_.find(name, why); });
}

FoundCache Caches::peek(const std::string& scope, std::span<const std::string> keys,
                        const EntryFacts& facts) {
  return look_up(layers_, scope, keys, facts,
                 [this](const EntryName& name, std::string* why) { return layers_.peek(name, why); });
}

}  // namespace runner::cache
