#pragma once
// What `runner serve` is told. Pure.

#include "runner/cli/options.h"
#include "runner/cli/raw_arguments.h"

namespace runner::cli {

Command serve_options(const RawArguments& raw);

}  // namespace runner::cli
