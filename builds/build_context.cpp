#include "builds/build_context.h"

#include <fcntl.h>

#include <array>
#include <optional>

#include "builds/context_files.h"
#include "runner/base/error.h"
#include "runner/base/text.h"

namespace runner::builds {
namespace {

namespace fs = std::filesystem;

/// From the top of the workspace, without "." and empty parts.
std::string joined(const std::string& directory, const std::string& name) {
  return (fs::path(directory) / name).lexically_normal().generic_string();
}

}  // namespace

BuildContext open_context(const BuildRequest& request) {
  const UniqueFd workspace(::open(request.workspace.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!workspace) throw_errno("cannot open the workspace " + in_quotes(request.workspace.native()));
  BuildContext context;
  context.directory = open_below(workspace.get(), request.context, O_RDONLY | O_DIRECTORY, "context");
  context.path = fs::canonical("/proc/self/fd/" + std::to_string(context.directory.get()));
  std::optional<std::string> text;
  std::string name = request.dockerfile;
  if (name.empty()) {
    for (const char* usual : {"Dockerfile", "Containerfile"}) {
      name = usual;
      text = read_below(workspace.get(), joined(request.context, name), "Dockerfile");
      if (text) break;
    }
    if (!text)
      throw Error(ErrorCode::invalid_input,
                  "there is neither a Dockerfile nor a Containerfile in the context " +
                      in_quotes(to_utf8(request.context)) + "; name it by 'dockerfile'");
  } else {
    text = read_below(workspace.get(), joined(request.context, name), "Dockerfile");
    if (!text)
      throw Error(ErrorCode::invalid_input, "there is no file " + in_quotes(to_utf8(name)) +
                                                " in the context " + in_quotes(to_utf8(request.context)) +
                                                "; 'dockerfile' is relative to it");
  }
  context.dockerfile = std::move(*text);
  context.dockerfile_name = to_utf8(joined(request.context, name));
  for (const std::string& ignore : {name + ".dockerignore", std::string(".dockerignore")}) {
    const auto rules = read_below(workspace.get(), joined(request.context, ignore), "file");
    if (!rules) continue;
    context.ignore_text = *rules;
    context.rules = IgnoreRules(*rules, to_utf8(joined(request.context, ignore)));
    break;
  }
  return context;
}

}  // namespace runner::builds
