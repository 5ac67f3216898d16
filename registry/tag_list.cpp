#include "registry/tag_list.h"

#include <nlohmann/json.hpp>

#include "registry/reference.h"
#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::registry {

std::vector<std::string> parse_tags(std::string_view text) {
  const auto all = nlohmann::json::parse(text, nullptr, false);
  const auto list = all.is_object() ? all.find("tags") : all.end();
  if (!all.is_object() || list == all.end() || (!list->is_array() && !list->is_null()))
    throw Error(ErrorCode::corrupt, "the registry sends what is no list of tags; look at what answers there");
  std::vector<std::string> tags;
  for (const auto& tag : *list) {
    if (!tag.is_string())
      throw Error(ErrorCode::corrupt, "the registry sends a tag that is no text; look at what answers there");
    tags.push_back(tag.get<std::string>());
    check_tag(tags.back());
  }
  return tags;
}

std::optional<Url> next_page(const Url& from, std::string_view link) {
  const std::size_t begin = link.find('<'), end = link.find('>');
  const bool has_address = begin != std::string_view::npos && end != std::string_view::npos && begin < end;
  if (!has_address || to_lower(link.substr(end)).find("next") == std::string::npos) return std::nullopt;
  return resolve_url(from, link.substr(begin + 1, end - begin - 1));
}

}  // namespace runner::registry
