#pragma once
// What a webhook said, as the text of its row (delivery_table.h): for who works on it later. Pure; any
// thread.
//
//     {"forge", "event", "user", "head", "refs": [{"ref", "before", "after", "created", "deleted"}], "cut",
//      "merge_request": {"number", "action", "source_branch", "target_branch", "from_fork"} or null}
//
// "action" is "opened", "updated", "merged", "closed" or "other". With "cut" there were more refs than are
// told: look at all of them.

#include <string>

#include "runner/triggers/webhook.h"

namespace runner::api {

std::string hint_text(const triggers::Hint& hint);

}  // namespace runner::api
