#include "runner/engine/entry_json.h"

#include <nlohmann/json.hpp>

#include "runner/base/error.h"
#include "runner/engine/exact_json.h"

namespace runner::engine {
namespace {

using nlohmann::json;

constexpr const char* kSpaces[] = {"cache", "checkout", "artifact"};

}  // namespace

json entry_to_json(const cache::EntryName& name) {
  return json::array({kSpaces[static_cast<std::size_t>(name.space)], exact(name.scope), exact(name.key)});
}

cache::EntryName entry_name(const json& value) {
  cache::EntryName name;
  const auto space = value.at(0).get<std::string>();
  bool known = false;
  for (const cache::Space one : {cache::Space::cache, cache::Space::checkout, cache::Space::artifact}) {
    if (space != kSpaces[static_cast<std::size_t>(one)]) continue;
    name.space = one;
    known = true;
  }
  if (!known) throw Error(ErrorCode::corrupt, "there is no space '" + space + "' for layers");
  name.scope = exact_text(value.at(1));
  name.key = exact_text(value.at(2));
  return name;
}

}  // namespace runner::engine
