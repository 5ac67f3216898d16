#include "runner/cli/key_options.h"

#include "runner/base/text.h"
#include "runner/cli/client_options.h"

namespace runner::cli {

Command key_command(std::string_view name, const RawArguments& raw) {
  KeyOptions options;
  if (name == "keys rotate") options.action = KeyAction::rotate;
  if (name == "keys remove") options.action = KeyAction::remove;
  options.common = client_common(raw);
  options.wait = !raw.has("--no-wait");
  const std::size_t most = options.action == KeyAction::remove ? 1 : 0;
  if (raw.positional.size() > most)
    return UsageError{"unexpected argument " + in_quotes(raw.positional[most]), help_hint(name)};
  if (raw.positional.size() < most)
    return UsageError{"the id of a key is missing", "'runner keys list' has them"};
  if (most == 1) options.id = raw.positional[0];
  return options;
}

}  // namespace runner::cli
