#include <exception>
#include <filesystem>
#include <stop_token>

#include "builds/build_log.h"
#include "builds/build_request.h"
#include "builds/image_build.h"
#include "runner/base/error.h"
#include "runner/base/files.h"
#include "runner/base/signal_stop.h"
#include "runner/base/text.h"

namespace runner::builds {
namespace {

namespace fs = std::filesystem;

BuildExit exit_for(const Error& error) {
  if (dynamic_cast<const BuildFailed*>(&error) != nullptr) return BuildExit::failed;
  switch (error.code()) {
    case ErrorCode::invalid_input:
    case ErrorCode::not_found:
    case ErrorCode::conflict:
      return BuildExit::invalid;
    case ErrorCode::cancelled:
      return BuildExit::cancelled;
    default:
      return BuildExit::machinery;
  }
}

BuildVerdict run(const fs::path& dir, const std::stop_token& stop) {
  try {
    const BuildRequest request = take_build_request(dir);
    const BuildOutputs outputs = build_image(request, dir, stop);
    write_build_outputs(dir, outputs);
    return {BuildExit::done, ""};
  } catch (const Error& error) {
    return {stop.stop_requested() ? BuildExit::cancelled : exit_for(error), error.what()};
  } catch (const std::exception& error) {
    return {stop.stop_requested() ? BuildExit::cancelled : BuildExit::machinery, error.what()};
  }
}

}  // namespace

int image_build_main(const char* dir) {
  const SignalStop stop;
  const BuildVerdict verdict = run(dir, stop.token());
  if (verdict.exit == BuildExit::done) return 0;
  try {
    write_build_verdict(dir, verdict);
    say(verdict.exit == BuildExit::cancelled ? "The build was cancelled" : "ERROR: " + to_utf8(verdict.why));
  } catch (const std::exception&) {
    // Nobody reads the log any more, or the disk is full: the code says it all the same.
  }
  return static_cast<int>(verdict.exit);
}

}  // namespace runner::builds
