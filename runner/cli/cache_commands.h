#pragma once
// The commands of `runner cache`. Main thread only; they print, and return the exit code of the process.

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cache/layer_store.h"
#include "runner/base/clock.h"
#include "runner/cli/json_writer.h"
#include "runner/cli/options.h"
#include "runner/cli/screen.h"

namespace runner::cli {

/// What all of them work with.
struct CacheDesk {
  const CacheOptions& options;
  const Clock& clock;
  cache::LayerStore& store;
  Screen screen;
  std::string scope;  // the project, or --scope
};

int list_caches(const CacheDesk& desk);
int show_cache(const CacheDesk& desk);
int remove_caches(const CacheDesk& desk);
int collect_caches(const CacheDesk& desk);
int verify_caches(const CacheDesk& desk);
/// Plans the pipeline around the current directory.
int explain_caches(const CacheDesk& desk);

/// "cache 'x' is not there" with the nearest key, on standard error.
void print_unknown_key(const CacheDesk& desk, const std::string& key);

// Texts.
void print(std::string_view text);
/// To standard output.
JsonWriter json_output();
/// "3 h 05 m ago"; of the future "0 ms ago".
std::string ago(TimePoint then, const Clock& clock);
/// "12,345"
std::string grouped(std::uint64_t number);
/// "1 file", "12,345 files"
std::string count_of(std::uint64_t number, std::string_view noun);
/// "package-lock.json  3fa9..." a line each; "(nothing)" for a key that is a plain text.
std::string inputs_text(const cache::EntryFacts& facts);

}  // namespace runner::cli
