#pragma once
// libarchive asks the locale of its thread what the bytes of a name mean.

#include <locale.h>

#include <string_view>

namespace runner {

/// Decides that for the calling thread, whatever the environment says, until its end. Only the thread that
/// made it uses it. The locales themselves are made once and live as long as the process: they are shared by
/// all threads, and none has to be loaded for a name.
class NameLocale {
 public:
  /// Names are UTF-8 from here on.
  NameLocale() noexcept;
  NameLocale(const NameLocale&) = delete;
  NameLocale& operator=(const NameLocale&) = delete;
  ~NameLocale();

  /// From here on UTF-8 if `name` is, and bytes without a meaning if it is not.
  void use_for(std::string_view name) const noexcept;

 private:
  locale_t before_;
};

}  // namespace runner
