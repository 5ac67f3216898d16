#pragma once
// Which server the client commands talk to. Reads the environment; main thread.

#include "runner/cli/api_client.h"
#include "runner/cli/client_types.h"

namespace runner::cli {

/// The socket of a server that runs with this data directory.
std::filesystem::path server_socket(const std::filesystem::path& data);

/// --server, else --data's socket when that was given, else $RUNNER_URL, else the socket of the default data
/// directory. $RUNNER_TOKEN goes to a server that is named by its URL only: by the socket it knows who calls.
/// Throws Error{invalid_input} for a URL that is none or holds a password, or a token that is none.
ApiEndpoint find_server(const ServerChoice& choice);

/// Whether find_server() would take a URL.
bool names_server(const ServerChoice& choice);

}  // namespace runner::cli
