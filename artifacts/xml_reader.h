#pragma once
// XML as events, for the reports (expat behind). Entity declarations are refused, so nothing can be expanded
// beyond the five predefined and the numeric ones, and nothing outside the text is ever read.

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace runner::artifacts {

/// The attributes of one element; valid during the call only.
class XmlAttributes {
 public:
  explicit XmlAttributes(const char** pairs) noexcept : pairs_(pairs) {}
  /// nullopt when it is not there.
  std::optional<std::string_view> find(std::string_view name) const noexcept;
  /// "" when it is not there.
  std::string text(std::string_view name) const { return std::string(find(name).value_or("")); }

 private:
  const char** pairs_;
};

/// What to call. Throwing is not allowed but for std::bad_alloc, which comes out of read_xml.
struct XmlEvents {
  std::function<void(std::string_view name, const XmlAttributes& attributes)> start;
  std::function<void(std::string_view name)> end;
  std::function<void(std::string_view text)> text;
};

/// False on broken XML, and `error` like "line 3: mismatched tag".
bool read_xml(std::string_view xml, const XmlEvents& events, std::string& error);

/// A non-negative decimal number; thousands separators are dropped. nullopt when it is none.
std::optional<double> parse_decimal(std::string_view text);

}  // namespace runner::artifacts
