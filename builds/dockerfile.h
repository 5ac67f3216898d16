#pragma once
// What a Dockerfile builds on: the images of the stages that a target needs, and where they are written, so
// that each can be replaced by exactly the one that was looked up. Instructions are not run or checked here;
// that is the engine's. Source: the Dockerfile reference (FROM, ARG, COPY --from, RUN --mount). Pure; any
// thread.

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace runner::builds {

/// A place that names an image which is no stage.
struct ImageUse {
  std::string image;               // with arguments filled in
  std::string platform;            // FROM --platform=..., filled in; "" = that of the build
  std::size_t begin = 0, end = 0;  // the bytes of the file that name it
  std::size_t line = 0;            // from 1
  bool operator==(const ImageUse&) const = default;
};

struct DockerfileFacts {
  std::vector<ImageUse> images;  // as they come in the file
  std::string syntax;            // the image of the directive; "" = none
  /// Lines with an ADD of what lies elsewhere: it is fetched by each build and may change unseen.
  std::vector<std::size_t> fetches;
  bool mounts_secrets = false;  // RUN --mount=type=secret somewhere
  /// Where the stage of the target ends: an instruction that is put there is its last.
  std::size_t end = 0;
  char escape = '\\';
};

struct DockerfileQuestion {
  std::string name;                         // as messages call the file
  std::map<std::string, std::string> args;  // over the defaults of ARG
  std::string target;                       // a stage's name or number; "" = the last
  std::string platform;                     // "linux/arm64": what TARGETPLATFORM and the like stand for
};

/// Throws Error{invalid_input} "NAME:LINE: ...": no FROM, an unknown target, an image without a name, what
/// cannot be filled in.
DockerfileFacts read_dockerfile(std::string_view file, const DockerfileQuestion& question);

/// The file with other names of images; `images` has one for each use, "" leaves it.
std::string with_images(std::string_view file, const std::vector<ImageUse>& uses,
                        const std::vector<std::string>& images);

/// The instruction "LABEL ..." with a line end before it and after it. nullopt when a value has a line end,
/// which an instruction cannot hold.
std::optional<std::string> label_instruction(const std::map<std::string, std::string>& labels, char escape);

/// A word of a Dockerfile with variables filled in and quotes removed. Throws Error{invalid_input}.
std::string fill_in(std::string_view word, const std::map<std::string, std::string>& values, char escape);

}  // namespace runner::builds
