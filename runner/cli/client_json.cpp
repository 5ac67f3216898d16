#include "runner/cli/client_json.h"

#include <nlohmann/json.hpp>

#include "runner/base/error.h"
#include "runner/base/text.h"
#include "runner/cli/client_answers.h"

namespace runner::cli {
namespace {

using nlohmann::json;

// Ours are four levels deep; what writes JSON again goes down the levels by recursion.
constexpr int kMaxDepth = 64;

// In texts only, as JSON is ASCII otherwise: DEL and the controls from U+0080, which terminals obey too.
std::string dump(const json& document) {
  const std::string text = document.dump(-1, ' ', false, json::error_handler_t::replace);
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    const auto byte = static_cast<unsigned char>(text[at]);
    const auto next = at + 1 < text.size() ? static_cast<unsigned char>(text[at + 1]) : 0U;
    if (byte == 0x7f) {
      out += "\\u007f";
    } else if (byte == 0xc2 && next >= 0x80 && next < 0xa0) {
      out += "\\u00";
      out += kDigits[next >> 4U];
      out += kDigits[next & 15U];
      ++at;
    } else {
      out += text[at];
    }
  }
  return out;
}

// A member of a problem, when it is a text.
std::string text_in(const json& value, const char* name) {
  const auto found = value.is_object() ? value.find(name) : value.end();
  return value.is_object() && found != value.end() && found->is_string() ? found->get<std::string>()
                                                                         : std::string();
}

}  // namespace

void throw_unreadable(const std::string& what) {
  throw Error(ErrorCode::corrupt, "cannot read the server's answer: " + what);
}

json parse_answer(std::string_view text) {
  const auto check_depth = [](int depth, json::parse_event_t, json&) {
    if (depth > kMaxDepth) throw_unreadable("it is nested too deeply");
    return true;
  };
  try {
    return json::parse(text, check_depth);
  } catch (const json::exception&) {
    throw_unreadable(trim(text).empty() ? "it is empty" : "it is no JSON");
  }
}

ProblemAnswer read_problem(std::string_view text) noexcept {
  try {
    const json document = parse_answer(text);
    ProblemAnswer out{text_in(document, "title"), text_in(document, "detail"), {}};
    const auto errors = document.is_object() ? document.find("errors") : document.end();
    if (!document.is_object() || errors == document.end() || !errors->is_array()) return out;
    for (const json& item : *errors)
      out.errors.emplace_back(text_in(item, "field"), text_in(item, "message"));
    return out;
  } catch (const std::exception&) {
    return {};
  }
}

std::string clean_json(std::string_view text) {
  return dump(parse_answer(text));
}

std::vector<std::string> clean_items(std::string_view text) {
  const json document = parse_answer(text);
  const auto items = document.is_object() ? document.find("items") : document.end();
  if (!document.is_object() || items == document.end() || !items->is_array())
    throw_unreadable("it is no list of items");
  std::vector<std::string> out;
  out.reserve(items->size());
  for (const json& item : *items) out.push_back(dump(item));
  return out;
}

}  // namespace runner::cli
