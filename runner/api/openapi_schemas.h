#pragma once
// The shapes of requests and answers, for the OpenAPI document. Internal to this folder.

#include <string_view>

namespace runner::api {

/// JSON text: an object of schemas by name.
std::string_view openapi_schemas() noexcept;

}  // namespace runner::api
