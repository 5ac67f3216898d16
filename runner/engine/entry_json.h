#pragma once
// Names of entries of the layer store in JSON. Internal to this folder.

#include <nlohmann/json_fwd.hpp>

#include "cache/layer_store.h"

namespace runner::engine {

nlohmann::json entry_to_json(const cache::EntryName& name);
/// Throws nlohmann::json::exception, or Error{corrupt}.
cache::EntryName entry_name(const nlohmann::json& value);

}  // namespace runner::engine
