#include "runner/base/curl_library.h"

#include <dlfcn.h>

#include <string>

#include "runner/base/error.h"

namespace runner {

void refuse_curl(const char* why) {
  throw Error(ErrorCode::unavailable, "http needs libcurl, which cannot be used (" + std::string(why) +
                                          "); install libcurl4, 7.85 or later");
}

void* find_in_curl(const char* name) {
  static void* const library = ::dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) refuse_curl("there is no libcurl.so.4");
  void* found = ::dlsym(library, name);
  if (found == nullptr) refuse_curl(name);
  return found;
}

}  // namespace runner
