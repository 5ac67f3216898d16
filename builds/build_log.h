#pragma once
// Lines for people in the log of the job, and what a build ends with. Any thread.

#include <string>
#include <string_view>

#include "runner/base/error.h"

namespace runner::builds {

/// An instruction of the Dockerfile failed: the build's own fault, and no machinery's.
class BuildFailed : public Error {
 public:
  explicit BuildFailed(std::string why) : Error(ErrorCode::invalid_input, std::move(why)) {}
};

/// One line, at once.
void say(std::string_view line);
/// What others wrote, in a message: the begin of it on one line, without what a terminal would obey.
std::string harmless(std::string_view text);
/// Whether an engine's or a registry's words speak of what goes away by itself: an overloaded server, a
/// broken connection.
bool goes_away(std::string_view words);

}  // namespace runner::builds
