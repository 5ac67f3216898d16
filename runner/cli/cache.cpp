// `runner cache ...`: what is kept between pipelines.

#include "runner/base/error.h"
#include "runner/cli/commands.h"

namespace runner::cli {

int run_cache(const CacheOptions&) {
  throw Error(ErrorCode::unavailable, "the layer store is not part of this build");
}

}  // namespace runner::cli
