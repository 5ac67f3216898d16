#include "runner/api/json_input.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "runner/base/text.h"

namespace runner::api {
namespace {

using nlohmann::json;

/// Refuses what the parser would take: keys that are there twice, of which one would be lost.
json parse_strictly(std::string_view body, int deepest) {
  std::vector<std::set<std::string>> keys;
  const auto look = [&keys, deepest](int depth, json::parse_event_t event, json& value) {
    if (event == json::parse_event_t::object_start || event == json::parse_event_t::array_start) {
      if (depth >= deepest) refuse_field("", "the body is nested too deeply");
      if (event == json::parse_event_t::object_start) keys.emplace_back();
    } else if (event == json::parse_event_t::object_end) {
      keys.pop_back();
    } else if (event == json::parse_event_t::key) {
      const auto& key = value.get_ref<const std::string&>();
      if (!keys.back().insert(key).second) refuse_field(key, "this field is there twice");
    }
    return true;
  };
  try {
    return json::parse(body, look);
  } catch (const json::parse_error& error) {
    // Where, but not what is there: it may be a part of a secret.
    refuse_field("", "the body is no JSON from byte " + std::to_string(error.byte) + " on");
  } catch (const json::exception&) {  // a number that nothing holds
    refuse_field("", "the body is no JSON that can be read here; is a number in it too large?");
  }
}

bool is_variable_name(std::string_view name) {
  const auto fits = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  return !name.empty() && !(name[0] >= '0' && name[0] <= '9') && std::all_of(name.begin(), name.end(), fits);
}

std::string type_of(const json& value) {
  if (value.is_null()) return "null";
  if (value.is_object()) return "an object";
  if (value.is_array()) return "a list";
  if (value.is_string()) return "a text";
  return value.is_boolean() ? "true or false" : "a number";
}

}  // namespace

struct JsonInput::Impl {
  json body = json::object();
  std::set<std::string, std::less<>> asked;
  std::vector<FieldError> errors;

  const json* find(const std::string& field) {
    asked.insert(field);
    const auto found = body.find(field);
    return found == body.end() ? nullptr : &*found;
  }

  /// The text, when it is one that can be stored; else the complaint.
  const std::string* check_text(const std::string& field, const json& value, std::size_t max_bytes) {
    if (!value.is_string()) return complain(field, "must be a text, and is " + type_of(value));
    const auto& text = value.get_ref<const std::string&>();
    if (text.size() > max_bytes)
      return complain(field,
                      "may have " + format_bytes(max_bytes) + ", and has " + format_bytes(text.size()));
    if (text.find('\0') != std::string::npos) return complain(field, "has a zero byte in it; leave it out");
    return &text;
  }

  std::nullptr_t complain(const std::string& field, std::string message) {
    errors.push_back({field, std::move(message)});
    return nullptr;
  }
};

JsonInput::JsonInput(std::string_view body, int deepest) : impl_(std::make_unique<Impl>()) {
  impl_->body = trim(body).empty() ? json::object() : parse_strictly(body, deepest);
  if (!impl_->body.is_object())
    refuse_field("", "the body must be a JSON object, and is " + type_of(impl_->body));
}

JsonInput::~JsonInput() = default;

bool JsonInput::has(const std::string& field) const {
  return impl_->body.contains(field);
}

std::optional<std::string> JsonInput::text(const std::string& field, std::size_t max_bytes) {
  const json* value = impl_->find(field);
  const std::string* text = value == nullptr ? nullptr : impl_->check_text(field, *value, max_bytes);
  return text == nullptr ? std::optional<std::string>() : *text;
}

std::optional<std::string> JsonInput::text_or_null(const std::string& field, std::size_t max_bytes) {
  const json* value = impl_->find(field);
  if (value != nullptr && value->is_null()) return std::string();
  return text(field, max_bytes);
}

std::optional<std::int64_t> JsonInput::integer(const std::string& field, std::int64_t least,
                                               std::int64_t most) {
  const json* value = impl_->find(field);
  if (value == nullptr) return {};
  const bool fits = value->is_number_integer() &&
                    (!value->is_number_unsigned() || value->get<std::uint64_t>() <= INT64_MAX) &&
                    value->get<std::int64_t>() >= least && value->get<std::int64_t>() <= most;
  if (fits) return value->get<std::int64_t>();
  complain(field, "must be a whole number from " + std::to_string(least) + " to " + std::to_string(most) +
                      (value->is_number() ? ", and is " + value->dump() : ", and is " + type_of(*value)));
  return {};
}

std::optional<bool> JsonInput::flag(const std::string& field) {
  const json* value = impl_->find(field);
  if (value == nullptr) return {};
  if (value->is_boolean()) return value->get<bool>();
  complain(field, "must be true or false, and is " + type_of(*value));
  return {};
}

std::optional<std::vector<std::string>> JsonInput::texts(const std::string& field, std::size_t max_items,
                                                         std::size_t max_bytes) {
  const json* value = impl_->find(field);
  if (value == nullptr) return {};
  if (!value->is_array() || value->size() > max_items) {
    complain(field, "must be a list of " + std::to_string(max_items) + " texts at most, and is " +
                        (value->is_array() ? "one of " + std::to_string(value->size()) : type_of(*value)));
    return {};
  }
  std::vector<std::string> texts;
  for (const json& item : *value) {
    const std::string* text =
        impl_->check_text(field + "[" + std::to_string(texts.size()) + "]", item, max_bytes);
    if (text == nullptr) return {};
    texts.push_back(*text);
  }
  return texts;
}

std::map<std::string, std::string> JsonInput::variables(const std::string& field) {
  constexpr std::size_t kMostVariables = 200;
  constexpr std::size_t kLongestValue = 64U << 10U;
  std::map<std::string, std::string> variables;
  const json* value = impl_->find(field);
  if (value == nullptr) return variables;
  if (!value->is_object() || value->size() > kMostVariables) {
    complain(field, "must be an object of " + std::to_string(kMostVariables) +
                        " names and texts at most, and is " +
                        (value->is_object() ? "one of " + std::to_string(value->size()) : type_of(*value)));
    return variables;
  }
  for (const auto& [name, each] : value->items()) {
    const std::string place = field + "." + name;
    if (!is_variable_name(name)) {
      complain(place,
               "no variable can be called so; letters, digits and '_' are allowed, and no digit first");
    } else if (const std::string* text = impl_->check_text(place, each, kLongestValue)) {
      variables.emplace(name, *text);
    }
  }
  return variables;
}

std::optional<std::string> JsonInput::object(const std::string& field) {
  const json* value = impl_->find(field);
  if (value == nullptr) return {};
  if (value->is_object()) return value->dump();
  complain(field, "must be an object, and is " + type_of(*value));
  return {};
}

void JsonInput::complain(const std::string& field, std::string message) {
  impl_->complain(field, std::move(message));
}

void JsonInput::require(const std::string& field) {
  impl_->asked.insert(field);
  if (!has(field)) complain(field, "this field is needed");
}

void JsonInput::finish() {
  const std::vector<std::string_view> known(impl_->asked.begin(), impl_->asked.end());
  for (const auto& [field, value] : impl_->body.items()) {
    if (impl_->asked.contains(field)) continue;
    const auto meant = nearest(field, known);
    complain(field, "there is no such field" + (meant ? "; did you mean " + in_quotes(*meant) + "?" : ""));
  }
  if (!impl_->errors.empty()) refuse_fields(impl_->errors);
}

}  // namespace runner::api
