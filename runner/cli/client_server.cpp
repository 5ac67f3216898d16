#include "runner/cli/client_server.h"

#include <sys/un.h>

#include <algorithm>
#include <cstdlib>

#include "runner/base/error.h"
#include "runner/base/text.h"
#include "runner/cli/environment.h"

namespace runner::cli {
namespace {

std::string from_environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

std::string url_of(const ServerChoice& choice) {
  if (!choice.url.empty()) return choice.url;
  return choice.data.empty() ? from_environment("RUNNER_URL") : std::string();
}

bool is_plain(char c) {
  return c > ' ' && c < '\x7f';
}

std::string checked_url(std::string url) {
  const std::string mend = "; write it like https://ci.example.com";
  const std::string_view scheme = url.starts_with("https://")  ? "https://"
                                  : url.starts_with("http://") ? "http://"
                                                               : "";
  if (scheme.empty() || !std::all_of(url.begin(), url.end(), is_plain))
    throw Error(ErrorCode::invalid_input, in_quotes(url) + " is no URL of a server" + mend);
  while (url.ends_with('/') && url.size() > scheme.size()) url.pop_back();
  const std::string_view rest = std::string_view(url).substr(scheme.size());
  const std::string_view host = rest.substr(0, rest.find('/'));
  // Not shown: it may hold a password.
  if (host.find('@') != std::string_view::npos)
    throw Error(ErrorCode::invalid_input,
                "the URL of the server holds a user or a password; put a token into RUNNER_TOKEN instead");
  if (host.empty() || rest.find_first_of("?#") != std::string_view::npos)
    throw Error(ErrorCode::invalid_input, in_quotes(url) + " is no URL of a server" + mend);
  return url;
}

}  // namespace

std::filesystem::path server_socket(const std::filesystem::path& data) {
  return data / "runner.sock";
}

bool names_server(const ServerChoice& choice) {
  return !url_of(choice).empty();
}

ApiEndpoint find_server(const ServerChoice& choice) {
  ApiEndpoint endpoint;
  if (std::string url = url_of(choice); !url.empty()) {
    endpoint.url = checked_url(std::move(url));
    endpoint.shown = endpoint.url;
    endpoint.ca_file = from_environment("RUNNER_CA_FILE");
    endpoint.token = trim(from_environment("RUNNER_TOKEN"));
    if (!std::all_of(endpoint.token.begin(), endpoint.token.end(), is_plain))
      throw Error(ErrorCode::invalid_input, "RUNNER_TOKEN holds no token: it has blanks or line ends in it");
    return endpoint;
  }
  endpoint.url = "http://localhost";
  endpoint.socket = server_socket(data_directory(choice.data));
  endpoint.shown = endpoint.socket.string();
  // The kernel takes no longer names.
  if (endpoint.shown.size() >= sizeof(sockaddr_un{}.sun_path))
    throw Error(ErrorCode::invalid_input, "the path " + in_quotes(endpoint.shown) +
                                              " is too long for a socket; choose another data directory "
                                              "with --data");
  return endpoint;
}

}  // namespace runner::cli
