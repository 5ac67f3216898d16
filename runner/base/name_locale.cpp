#include "runner/base/name_locale.h"

#include "runner/base/text.h"

namespace runner {
namespace {

/// Neither is freed: the C library keeps what it has loaded for a locale in it, and threads that made and
/// freed their own would do so again for every archive. Null when there is none, and nothing is changed then.
locale_t utf8() noexcept {
  static locale_t const made = ::newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr);
  return made;
}

locale_t plain() noexcept {
  static locale_t const made = ::newlocale(LC_CTYPE_MASK, "C", nullptr);
  return made;
}

}  // namespace

NameLocale::NameLocale() noexcept : before_(::uselocale(utf8())) {}

NameLocale::~NameLocale() {
  ::uselocale(before_);
}

void NameLocale::use_for(std::string_view name) const noexcept {
  if (locale_t const wanted = is_utf8(name) ? utf8() : plain(); wanted != nullptr) ::uselocale(wanted);
}

}  // namespace runner
