// Masking a log: the alternative to compare with is copying the same bytes, the least that storing them
// costs.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "runner/engine/masker.h"

namespace {

constexpr std::size_t kChunk = std::size_t{64} << 10U;  // what a read from a pipe gives at most

/// 16 MiB as a build prints them; every `secret_every` lines one holds a secret (0 = none does).
std::string build_log(int secret_every, std::string_view secret) {
  std::string log;
  for (int line = 0; log.size() < (std::size_t{16} << 20U); ++line) {
    log += "[" + std::to_string(line % 1000) + "/1000] Building CXX object src/CMakeFiles/app.dir/module_";
    log += std::to_string(line) + ".cpp.o with --token=glue and user=dev@example.org";
    if (secret_every != 0 && line % secret_every == 0) log += secret;
    log += '\n';
  }
  return log;
}

std::vector<std::string> secrets(int count) {
  std::vector<std::string> values;
  for (int i = 0; i < count; ++i) values.push_back("s3cr3t-value-number-" + std::to_string(i * 7919));
  return values;
}

void mask_log(benchmark::State& state) {
  const auto values = secrets(static_cast<int>(state.range(0)));
  const std::string log = build_log(static_cast<int>(state.range(1)), values.empty() ? "" : values.front());
  std::string out;
  out.reserve(log.size() + kChunk);
  for (auto _ : state) {
    runner::engine::Masker masker(values);
    out.clear();
    for (std::size_t at = 0; at < log.size(); at += kChunk)
      masker.feed(std::string_view(log).substr(at, kChunk), out);
    masker.finish(out);
    benchmark::DoNotOptimize(out.data());
  }
  if (!values.empty() && out.find(values.front()) != std::string::npos)
    state.SkipWithError("a secret got through");
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) *
                          static_cast<std::int64_t>(log.size()));
}
BENCHMARK(mask_log)
    ->ArgNames({"secrets", "one_in"})
    ->Args({0, 0})
    ->Args({10, 0})
    ->Args({10, 100})
    ->Args({200, 100});

void copy_log(benchmark::State& state) {
  const std::string log = build_log(0, {});
  std::string out;
  out.reserve(log.size());
  for (auto _ : state) {
    out.clear();
    for (std::size_t at = 0; at < log.size(); at += kChunk)
      out.append(std::string_view(log).substr(at, kChunk));
    benchmark::DoNotOptimize(out.data());
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) *
                          static_cast<std::int64_t>(log.size()));
}
BENCHMARK(copy_log);

}  // namespace
