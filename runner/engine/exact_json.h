#pragma once
// Texts of any bytes in JSON, without loss. Internal to this folder.

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

namespace runner::engine {

nlohmann::json exact(const std::string& text);
nlohmann::json exact(const std::vector<std::string>& texts);
nlohmann::json exact(const std::vector<std::pair<std::string, std::string>>& values);

// These throw nlohmann::json::exception, or Error{corrupt}.
std::string exact_text(const nlohmann::json& value);
std::vector<std::string> exact_texts(const nlohmann::json& value);
std::vector<std::pair<std::string, std::string>> exact_pairs(const nlohmann::json& value);

}  // namespace runner::engine
