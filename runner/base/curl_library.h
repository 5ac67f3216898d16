#pragma once
// libcurl, loaded when the first one needs it. It brings some thirty shared libraries, which every start of
// the program would pay for, and most programs never connect. Any thread.

namespace runner {

/// A function of libcurl. The library stays until the process ends. Throws Error{unavailable} with the mend
/// when it is not there.
void* find_in_curl(const char* name);

/// Initialises a pointer to function: `decltype(&::curl_easy_init) init = CurlSymbol{"curl_easy_init"};`
struct CurlSymbol {
  const char* name;
  template <typename Function>
  operator Function() const {  // what is initialised names the type
    return reinterpret_cast<Function>(find_in_curl(name));
  }
};

/// Says that libcurl cannot be used, and why. Throws Error{unavailable}.
[[noreturn]] void refuse_curl(const char* why);

}  // namespace runner
