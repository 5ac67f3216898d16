#include "artifacts/xml_reader.h"

#include <expat.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <exception>
#include <memory>
#include <type_traits>

#include "runner/base/text.h"

namespace runner::artifacts {
namespace {

struct FreeParser {
  void operator()(XML_Parser parser) const noexcept { XML_ParserFree(parser); }
};
using Parser = std::unique_ptr<std::remove_pointer_t<XML_Parser>, FreeParser>;

struct Reading {
  const XmlEvents* events;
  XML_Parser parser;
  bool entity_declared = false;
  std::exception_ptr failure;
};

/// Calls back; an exception must not pass through expat.
template <typename Call>
void guarded(void* data, const Call& call) noexcept {
  auto* reading = static_cast<Reading*>(data);
  if (reading->failure) return;
  try {
    call(*reading->events);
  } catch (...) {
    reading->failure = std::current_exception();
    XML_StopParser(reading->parser, XML_FALSE);
  }
}

void on_start(void* data, const XML_Char* name, const XML_Char** attributes) {
  guarded(data, [&](const XmlEvents& events) {
    if (events.start) events.start(name, XmlAttributes(attributes));
  });
}

void on_end(void* data, const XML_Char* name) {
  guarded(data, [&](const XmlEvents& events) {
    if (events.end) events.end(name);
  });
}

void on_text(void* data, const XML_Char* text, int length) {
  guarded(data, [&](const XmlEvents& events) {
    if (events.text) events.text(std::string_view(text, static_cast<std::size_t>(length)));
  });
}

void on_entity(void* data, const XML_Char* /*name*/, int /*is_parameter*/, const XML_Char* /*value*/,
               int /*length*/, const XML_Char* /*base*/, const XML_Char* /*system*/,
               const XML_Char* /*public_id*/, const XML_Char* /*notation*/) {
  auto* reading = static_cast<Reading*>(data);
  reading->entity_declared = true;
  XML_StopParser(reading->parser, XML_FALSE);
}

}  // namespace

std::optional<std::string_view> XmlAttributes::find(std::string_view name) const noexcept {
  for (const char** pair = pairs_; *pair != nullptr; pair += 2) {
    if (name == pair[0]) return std::string_view(pair[1]);
  }
  return std::nullopt;
}

bool read_xml(std::string_view xml, const XmlEvents& events, std::string& error) {
  const Parser parser(XML_ParserCreate(nullptr));
  if (!parser) throw std::bad_alloc();
  Reading reading{&events, parser.get(), false, nullptr};
  XML_SetUserData(parser.get(), &reading);
  XML_SetElementHandler(parser.get(), on_start, on_end);
  XML_SetCharacterDataHandler(parser.get(), on_text);
  XML_SetEntityDeclHandler(parser.get(), on_entity);
  constexpr std::size_t kPiece = std::size_t{1} << 20U;  // expat counts in int
  XML_Status status = XML_STATUS_OK;
  do {
    const std::string_view piece = xml.substr(0, kPiece);
    xml.remove_prefix(piece.size());
    status = XML_Parse(parser.get(), piece.data(), static_cast<int>(piece.size()), xml.empty() ? 1 : 0);
  } while (status == XML_STATUS_OK && !xml.empty());
  if (reading.failure) std::rethrow_exception(reading.failure);
  if (status == XML_STATUS_OK) return true;
  error = "line " + std::to_string(XML_GetCurrentLineNumber(parser.get())) + ": ";
  error += reading.entity_declared ? "entity declarations are not accepted"
                                   : XML_ErrorString(XML_GetErrorCode(parser.get()));
  return false;
}

std::optional<double> parse_decimal(std::string_view text) {
  std::string digits(trim(text));
  digits.erase(std::remove(digits.begin(), digits.end(), ','), digits.end());
  double value = 0;
  const char* end = digits.data() + digits.size();
  const auto [parsed_to, failure] = std::from_chars(digits.data(), end, value);
  if (failure != std::errc() || parsed_to != end || !std::isfinite(value) || value < 0) return std::nullopt;
  return value;
}

}  // namespace runner::artifacts
