#pragma once
// Answers against the OpenAPI document: types, required members, enumerators, and no members it does not
// know.

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace runner::api {

const nlohmann::json& document();

/// Fails the test where the document says something else of such an answer. What has no path in it may only
/// be a problem.
void check_against_document(const std::string& method, const std::string& target, int status,
                            const std::string& content_type, const std::string& body);

/// What is wrong with `value`, with its place; "" when nothing is.
std::string schema_problem(const nlohmann::json& schema, const nlohmann::json& value,
                           const std::string& place = "$");

}  // namespace runner::api
