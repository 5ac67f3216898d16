#include "runner/engine/exact_json.h"

#include <nlohmann/json.hpp>

#include "pipelines/frozen_text.h"
#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::engine {

using nlohmann::json;

json exact(const std::string& text) {
  if (is_utf8(text)) return text;
  return json{{"bytes", pipelines::characters_of(text)}};
}

json exact(const std::vector<std::string>& texts) {
  json list = json::array();
  for (const std::string& text : texts) list.push_back(exact(text));
  return list;
}

json exact(const std::vector<std::pair<std::string, std::string>>& values) {
  json list = json::array();
  for (const auto& [name, value] : values) list.push_back(json::array({exact(name), exact(value)}));
  return list;
}

std::string exact_text(const json& value) {
  if (value.is_string()) return value.get<std::string>();
  auto bytes = pipelines::bytes_of(value.at("bytes").get<std::string>());
  if (!bytes) throw Error(ErrorCode::corrupt, "bytes hold another character");
  return std::move(*bytes);
}

std::vector<std::string> exact_texts(const json& value) {
  std::vector<std::string> texts;
  for (const json& text : value) texts.push_back(exact_text(text));
  return texts;
}

std::vector<std::pair<std::string, std::string>> exact_pairs(const json& value) {
  std::vector<std::pair<std::string, std::string>> pairs;
  for (const json& pair : value) pairs.emplace_back(exact_text(pair.at(0)), exact_text(pair.at(1)));
  return pairs;
}

}  // namespace runner::engine
