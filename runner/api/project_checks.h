#pragma once
// Why a text cannot be what it is given as, for whoever takes projects from people: the API, and the
// configuration file of a server. Pure; any thread.

#include <string>
#include <string_view>

namespace runner::api {

bool has_control(std::string_view text);
/// What follows the name of the field: "may not be empty"; "" when it can be.
std::string url_problem(const std::string& url);
std::string file_problem(const std::string& path);
/// Of a private key's text.
std::string key_problem(std::string_view key);

}  // namespace runner::api
