// Runs every file of the given directories through a harness, without libFuzzer: corpus_NAME DIRECTORY...

#include <cstdint>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <string>

#include "runner/base/files.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

int main(int argc, char** argv) {
  int count = 0;
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) {
      const auto text = runner::read_file(entry.path());
      if (!text) continue;
      try {
        LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(text->data()), text->size());
      } catch (const std::exception& error) {
        std::fprintf(stderr, "%s: threw %s\n", entry.path().c_str(), error.what());
        return 1;
      }
      ++count;
    }
  }
  std::printf("%d inputs\n", count);
  return count > 0 ? 0 : 1;  // a test of nothing is no test
}
