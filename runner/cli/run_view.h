#pragma once
// What a run shows and to whom: the view that fits the screen, and the commands it names.

#include <memory>
#include <string>
#include <vector>

#include "pipelines/plan.h"
#include "runner/cli/options.h"
#include "runner/cli/screen.h"
#include "runner/cli/selection.h"
#include "runner/cli/view.h"

namespace runner::cli {

/// Everything the views want to know; nothing of `plan` is kept.
ViewContext make_view_context(const ExecOptions& options, const pipelines::Plan& plan, const Chosen& chosen,
                              const Screen& screen);

/// Null where only the report is wanted.
std::unique_ptr<View> make_view(const ExecOptions& options, ViewContext context);

/// "runner exec [options] 'a' 'b'": the options that shape the pipeline, then these words.
std::string exec_command_line(const ExecOptions& options, const std::vector<std::string>& words);

}  // namespace runner::cli
