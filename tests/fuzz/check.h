#pragma once
// What a harness promises about the code it calls; a broken promise ends the program, as libFuzzer expects.

#include <cstdio>
#include <cstdlib>

namespace runner::test {

inline void promise(bool kept, const char* what) {
  if (kept) return;
  std::fprintf(stderr, "broken promise: %s\n", what);
  std::abort();
}

}  // namespace runner::test
