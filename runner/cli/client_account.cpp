// `runner user ...` and `runner token ...`: who may use a server.

#include <pwd.h>
#include <unistd.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "runner/base/error.h"
#include "runner/base/text.h"
#include "runner/cli/client_desk.h"
#include "runner/cli/client_json.h"
#include "runner/cli/client_reader.h"
#include "runner/cli/commands.h"
#include "runner/cli/json_writer.h"
#include "runner/cli/messages.h"
#include "runner/cli/table.h"

namespace runner::cli {
namespace {

/// The login name of who calls. Throws Error{invalid_input} when there is none.
std::string own_name() {
  const passwd* entry = ::getpwuid(::geteuid());
  if (entry == nullptr || entry->pw_name == nullptr || *entry->pw_name == '\0')
    throw Error(ErrorCode::invalid_input, "this user has no name on this machine; add --user NAME");
  return entry->pw_name;
}

/// When it stops to work, or that it has.
std::string end_text(const TokenAnswer& token) {
  if (token.revoked_at) return "revoked";
  return token.expires_at ? format_iso8601(*token.expires_at) : "never";
}

class AccountCommand {
 public:
  explicit AccountCommand(const AccountOptions& options)
      : options_(options),
        desk_(options.common),
        user_(options.user.empty() && is_about_a_token_of_somebody() ? own_name() : options.user),
        path_("/users/" + url_encode(user_)) {}

  int run() {
    switch (options_.action) {
      case AccountAction::token_create:
        return create_token();
      case AccountAction::token_list:
        return list_tokens();
      case AccountAction::token_revoke:
        return revoke();
      case AccountAction::user_add:
        return tell_user(desk_.ask("POST", "/users", body()), "added");
      case AccountAction::user_set:
        return tell_user(desk_.ask("PATCH", path_, body()), "changed");
      case AccountAction::role_list:
        return list_roles();
      case AccountAction::role_set:
        return set_role();
      case AccountAction::role_remove:
        return remove_role();
      case AccountAction::user_list:
        break;
    }
    return list_users();
  }

 private:
  bool is_about_a_token_of_somebody() const {
    return options_.action == AccountAction::token_create || options_.action == AccountAction::token_list;
  }

  std::string body() const {
    std::string out;
    JsonWriter json([&](std::string_view text) { out += text; });
    json.begin_object();
    if (options_.action == AccountAction::user_add) json.member("name", user_);
    if (options_.action == AccountAction::token_create) json.member("name", options_.name);
    if (options_.role) json.member("role", *options_.role);
    if (options_.disabled) json.member("disabled", *options_.disabled);
    const auto list = [&](const char* name, const std::vector<std::string>& texts) {
      json.key(name).begin_array();
      for (const std::string& text : texts) json.value(text);
      json.end_array();
    };
    if (options_.groups) list("groups", *options_.groups);
    if (options_.grants) list("grants", *options_.grants);
    if (options_.action == AccountAction::role_set) list("permissions", options_.permissions);
    if (options_.expires_in_days) json.member("expires_in_days", *options_.expires_in_days);
    json.end_object().flush();
    return out;
  }

  int create_token() {
    const std::string answer = desk_.ask("POST", path_ + "/tokens", body());
    const TokenAnswer token = read_token(answer);
    if (token.token.empty())
      throw Error(ErrorCode::corrupt, "cannot read the server's answer: the token has no 'token'");
    if (options_.common.json) {
      say(clean_json(answer) + "\n");
      return exit_success;
    }
    // Alone on standard output, for scripts.
    say(printable(token.token) + "\n");
    print_notice("token " + std::to_string(token.id) + " of " + in_quotes(printable(user_)) +
                 ", shown this once; 'runner token revoke " + std::to_string(token.id) + "' ends it");
    return exit_success;
  }

  int list_tokens() {
    if (options_.common.json) return list_json(path_ + "/tokens");
    std::vector<std::vector<std::string>> rows;
    desk_.each_page(path_ + "/tokens", [&](const std::string& page) {
      for (const TokenAnswer& token : read_tokens(page)) {
        rows.push_back({std::to_string(token.id), token.name, token.role,
                        ago_text(token.created_at, desk_.clock()),
                        ago_text(token.last_used_at, desk_.clock()), end_text(token)});
      }
      return true;
    });
    if (rows.empty()) print_notice(in_quotes(printable(user_)) + " has no tokens");
    say(table_text(desk_.screen(),
                   {{"ID", Column::Align::right}, {"NAME"}, {"ROLE"}, {"MADE"}, {"USED"}, {"ENDS"}}, rows));
    return exit_success;
  }

  int revoke() {
    desk_.ask("DELETE", "/tokens/" + std::to_string(options_.id));
    const std::string id = std::to_string(options_.id);
    say(options_.common.json ? "{\"revoked\":" + id + "}\n" : "revoked token " + id + "\n");
    return exit_success;
  }

  int tell_user(const std::string& answer, std::string_view done) {
    const UserAnswer user = read_user(answer);
    if (options_.common.json) {
      say(clean_json(answer) + "\n");
    } else {
      say(std::string(done) + " user " + in_quotes(printable(user.name)) + ": " + printable(user.role) +
          (user.grants.empty() ? "" : " with " + printable(join(user.grants, ", "))) +
          (user.groups.empty() ? "" : " in " + printable(join(user.groups, ", "))) +
          (user.disabled ? ", disabled\n" : "\n"));
    }
    return exit_success;
  }

  int list_users() {
    if (options_.common.json) return list_json("/users");
    std::vector<std::vector<std::string>> rows;
    desk_.each_page("/users", [&](const std::string& page) {
      for (const UserAnswer& user : read_users(page)) {
        rows.push_back({user.name, user.role, join(user.grants, ", "), join(user.groups, ", "),
                        user.disabled ? "disabled" : "", ago_text(user.created_at, desk_.clock())});
      }
      return true;
    });
    if (rows.empty()) print_notice("there are no users; 'runner user add' makes one");
    say(table_text(desk_.screen(), {{"NAME"}, {"ROLE"}, {"GRANTS"}, {"GROUPS"}, {"STATE"}, {"ADDED"}}, rows));
    return exit_success;
  }

  int list_roles() {
    if (options_.common.json) return list_json("/roles");
    std::vector<std::vector<std::string>> rows;
    desk_.each_page("/roles", [&](const std::string& page) {
      const nlohmann::json document = parse_answer(page);
      Reader(document, "list").for_each("items", [&](const nlohmann::json& item) {
        const Reader role(item, "role");
        std::string name;
        std::vector<std::string> permissions;
        role.require("name");
        role.take("name", name);
        role.take("permissions", permissions);
        rows.push_back({name, join(permissions, ", ")});
      });
      return true;
    });
    say(table_text(desk_.screen(), {{"NAME"}, {"MAY"}}, rows));
    return exit_success;
  }

  int set_role() {
    const std::string answer = desk_.ask("PUT", "/roles/" + url_encode(options_.name), body());
    say(options_.common.json ? clean_json(answer) + "\n"
                             : "the role " + in_quotes(printable(options_.name)) + " may " +
                                   join(options_.permissions, ", ") + "\n");
    return exit_success;
  }

  int remove_role() {
    desk_.ask("DELETE", "/roles/" + url_encode(options_.name));
    if (!options_.common.json) say("removed the role " + in_quotes(printable(options_.name)) + "\n");
    return exit_success;
  }

  int list_json(const std::string& path) {
    say(desk_.all_items(path, std::numeric_limits<std::size_t>::max()));
    return exit_success;
  }

  const AccountOptions& options_;
  ClientDesk desk_;
  std::string user_, path_;
};

}  // namespace

int run_account(const AccountOptions& options) {
  return AccountCommand(options).run();
}

}  // namespace runner::cli
