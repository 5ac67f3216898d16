#pragma once
// The shapes of requests and answers, for the OpenAPI document. Internal to this folder.

#include <string>
#include <string_view>

namespace runner::api {

/// JSON text: an object of schemas by name.
std::string openapi_schemas();
/// Some of them: members of that object.
std::string_view openapi_sheet_schemas() noexcept;

}  // namespace runner::api
