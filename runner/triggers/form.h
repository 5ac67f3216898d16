#pragma once
// Forms as browsers send them (application/x-www-form-urlencoded, WHATWG URL 5.1). Pure; any thread.

#include <optional>
#include <string>
#include <string_view>

namespace runner::triggers {

/// Whether a Content-Type is that of a form, whatever its parameters and case.
bool is_form(std::string_view content_type);

/// The value of the field `name`, decoded. nullopt when there is none, or two, or its encoding is broken.
std::optional<std::string> form_field(std::string_view form, std::string_view name);

}  // namespace runner::triggers
