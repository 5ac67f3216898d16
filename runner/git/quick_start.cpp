// libgit2 1.5 reads all certificates of the machine when it starts, 3 of the 3.3 ms that takes; a local run
// never connects. While a Library starts on this thread, the TLS library is told that there are none. Later
// calls, as by GIT_OPT_SET_SSL_CERT_LOCATIONS before a connection, do read them. Can go when libgit2 loads
// them lazily.
#include "runner/git/quick_start.h"

#include <dlfcn.h>

namespace runner::git {
namespace {

thread_local bool starting = false;

using ParseCertificates = int (*)(void*, const char*);
constexpr int kNotFound = -0x2F80;  // any error of the library is negative

int parse(const char* function, void* chain, const char* path) {
  if (starting) return kNotFound;
  const auto real = reinterpret_cast<ParseCertificates>(::dlsym(RTLD_NEXT, function));
  return real == nullptr ? kNotFound : real(chain, path);
}

}  // namespace

QuickStart::QuickStart() noexcept {
  starting = true;
}
QuickStart::~QuickStart() {
  starting = false;
}

}  // namespace runner::git

extern "C" {
// Found before the library's own, as these are in the program itself.
[[gnu::visibility("default")]] int mbedtls_x509_crt_parse_file(void* chain, const char* path) {
  return runner::git::parse("mbedtls_x509_crt_parse_file", chain, path);
}
[[gnu::visibility("default")]] int mbedtls_x509_crt_parse_path(void* chain, const char* path) {
  return runner::git::parse("mbedtls_x509_crt_parse_path", chain, path);
}
}
