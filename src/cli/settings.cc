#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <iostream>
#include <memory>

#include "base/file.h"
#include "cli/commands.h"

namespace etesian::cli {
namespace {

/// One kind of setting and how it is listed.
struct Kind {
  const char* command;
  const char* help;
  const char* path;
  const char* member;
  std::vector<std::pair<const char*, const char*>> columns;  ///< Heading, member.
};

int list(const Globals& globals, const Kind& kind) {
  Session session(globals);
  const json::array rows = session.all(kind.path, kind.member);
  if (print_structured(globals, rows)) return kOk;
  std::vector<std::string> head;
  std::vector<std::vector<Cell>> cells;
  for (const auto& [heading, member] : kind.columns) head.emplace_back(heading);
  for (const json::value& row : rows) {
    std::vector<Cell> line;
    for (const auto& [heading, member] : kind.columns) line.push_back({text_of(row, member)});
    cells.push_back(std::move(line));
  }
  print(table(globals.terminal, head, cells));
  return kOk;
}

/// Creates, or changes what exists already.
void put(Session& session, const std::string& collection, const std::string& id,
         const json::object& body) {
  try {
    session.post(collection, body);
  } catch (const Failure& failure) {
    if (failure.code != kRefused) throw;
    session.patch(collection + "/" + Session::escape(id), body);
  }
}

std::string read_secret(const std::string& prompt) {
  if (isatty(STDIN_FILENO) == 0) {
    std::string line;
    std::getline(std::cin, line);
    return line;
  }
  std::cerr << prompt << std::flush;
  termios before{}, silent{};
  tcgetattr(STDIN_FILENO, &before);
  silent = before;
  silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
  tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
  std::string line;
  std::getline(std::cin, line);
  tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
  std::cerr << "\n";
  return line;
}

int login(const Globals& globals, const std::string& user) {
  const char* given = std::getenv("ETESIAN_ADMIN_PASSWORD");
  const std::string password = given ? given : read_secret("Password of " + user + ": ");
  Globals anonymous = globals;
  anonymous.token = " ";  // No stored token: an expired one must not stand in the way.
  Session session(anonymous);
  const json::value answer =
      session.post("/auth/token", json::object{{"username", user}, {"password", password}});
  keep_token(globals.url, text_of(answer, "access_token"));
  print("logged in as " + visible(user) + " at " + globals.url + "\n");
  return kOk;
}

void add_list_and_delete(CLI::App& group, const std::shared_ptr<Kind>& kind, Globals& globals,
                         Chosen& chosen) {
  group.add_subcommand("list", "All of them")->callback([&globals, &chosen, kind] {
    chosen = [&globals, kind] { return list(globals, *kind); };
  });
  auto id = std::make_shared<std::string>();
  CLI::App* removing = group.add_subcommand("delete", "Delete one");
  removing->add_option("NAME", *id, "Which")->required();
  removing->callback([&globals, &chosen, kind, id] {
    chosen = [&globals, kind, id] {
      Session(globals).remove(std::string(kind->path) + "/" + Session::escape(*id));
      print("deleted " + visible(*id) + "\n");
      return kOk;
    };
  });
}

void add_pools(CLI::App& app, Globals& globals, Chosen& chosen) {
  auto kind = std::make_shared<Kind>(Kind{"pools",
                                          "Slots that tasks share",
                                          "/api/v2/pools",
                                          "pools",
                                          {{"POOL", "name"},
                                           {"SLOTS", "slots"},
                                           {"RUNNING", "running_slots"},
                                           {"QUEUED", "queued_slots"},
                                           {"OPEN", "open_slots"},
                                           {"DESCRIPTION", "description"}}});
  CLI::App* group = app.add_subcommand(kind->command, kind->help)->require_subcommand(1);
  add_list_and_delete(*group, kind, globals, chosen);
  struct Options {
    std::string name, description;
    int slots = 1;
  };
  auto options = std::make_shared<Options>();
  CLI::App* setting = group->add_subcommand("set", "Create or change a pool");
  setting->add_option("NAME", options->name, "Name")->required();
  setting->add_option("SLOTS", options->slots, "Slots; -1 = without limit")->required();
  setting->add_option("--description", options->description, "For people");
  setting->callback([&globals, &chosen, kind, options] {
    chosen = [&globals, kind, options] {
      Session session(globals);
      put(session, kind->path, options->name,
          {{"name", options->name},
           {"slots", options->slots},
           {"description", options->description},
           {"include_deferred", false}});
      print(fmt::format("pool {} has {} slots\n", visible(options->name), options->slots));
      return kOk;
    };
  });
}

void add_variables(CLI::App& app, Globals& globals, Chosen& chosen) {
  auto kind = std::make_shared<Kind>(
      Kind{"variables",
           "Values that templates read as var.value.NAME",
           "/api/v2/variables",
           "variables",
           {{"KEY", "key"}, {"VALUE", "value"}, {"DESCRIPTION", "description"}}});
  CLI::App* group = app.add_subcommand(kind->command, kind->help)->require_subcommand(1);
  add_list_and_delete(*group, kind, globals, chosen);
  struct Options {
    std::string key, value, description;
  };
  auto options = std::make_shared<Options>();
  CLI::App* setting = group->add_subcommand("set", "Create or change a variable");
  setting->add_option("KEY", options->key, "Name")->required();
  setting->add_option(
      "VALUE", options->value,
      "Value; left out: read from standard input, so that no shell history keeps it");
  setting->add_option("--description", options->description, "For people");
  setting->callback([&globals, &chosen, kind, options, setting] {
    const bool given = setting->count("VALUE") > 0;
    chosen = [&globals, kind, options, given] {
      if (!given) options->value = read_secret("Value: ");
      Session session(globals);
      put(session, kind->path, options->key,
          {{"key", options->key},
           {"value", options->value},
           {"description", options->description}});
      print("set " + visible(options->key) + "\n");
      return kOk;
    };
  });
}

void add_connections(CLI::App& app, Globals& globals, Chosen& chosen) {
  auto kind = std::make_shared<Kind>(Kind{"connections",
                                          "Addresses and logins that templates read as conn.ID",
                                          "/api/v2/connections",
                                          "connections",
                                          {{"ID", "connection_id"},
                                           {"TYPE", "conn_type"},
                                           {"HOST", "host"},
                                           {"PORT", "port"},
                                           {"LOGIN", "login"},
                                           {"SCHEMA", "schema"}}});
  CLI::App* group = app.add_subcommand(kind->command, kind->help)->require_subcommand(1);
  add_list_and_delete(*group, kind, globals, chosen);
  struct Options {
    std::string id, type = "generic", host, login, schema, extra;
    int port = 0;
    bool password = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* setting = group->add_subcommand("set", "Create or change a connection");
  setting->add_option("ID", options->id, "Name")->required();
  setting->add_option("--type", options->type, "postgres, http, …");
  setting->add_option("--host", options->host, "Host name");
  setting->add_option("--port", options->port, "Port");
  setting->add_option("--login", options->login, "User name");
  setting->add_option("--schema", options->schema, "Schema or database");
  setting->add_option("--extra", options->extra, "More, as JSON");
  setting->add_flag("--password", options->password,
                    "Ask for the password (or read it from standard input)");
  setting->callback([&globals, &chosen, kind, options] {
    chosen = [&globals, kind, options] {
      json::object body{{"connection_id", options->id}, {"conn_type", options->type},
                        {"host", options->host},        {"login", options->login},
                        {"schema", options->schema},    {"extra", options->extra}};
      if (options->port != 0) body["port"] = options->port;
      if (options->password) body["password"] = read_secret("Password: ");
      Session session(globals);
      put(session, kind->path, options->id, body);
      print("set " + visible(options->id) + "\n");
      return kOk;
    };
  });
}

}  // namespace

void add_setting_commands(CLI::App& app, Globals& globals, Chosen& chosen) {
  add_pools(app, globals, chosen);
  add_variables(app, globals, chosen);
  add_connections(app, globals, chosen);
  auto user = std::make_shared<std::string>("admin");
  CLI::App* entering = app.add_subcommand("login", "Get a token and keep it for later commands");
  entering->add_option("--user", *user, "User name");
  entering->callback(
      [&globals, &chosen, user] { chosen = [&globals, user] { return login(globals, *user); }; });
}

}  // namespace etesian::cli
