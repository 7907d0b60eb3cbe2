#pragma once
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "cli/terminal.h"
#include "http/http.h"

namespace etesian::cli {

/// Exit codes of every command (docs/cli.md#exit-codes).
enum ExitCode {
  kOk = 0,
  kFailed = 1,  ///< The answer is "no": mistakes found, the run failed, the log is incomplete.
  kUsage = 2,   ///< The command line is wrong.
  kNotFound = 3,
  kNoServer = 4,  ///< The server cannot be reached.
  kDenied = 5,    ///< No valid token, or not allowed.
  kRefused = 6,   ///< The server refused: conflict or invalid input.
  kServerError = 7
};

/// Ends a command: the message goes to standard error, the code to the shell. Thrown only inside
/// cli/ and caught in one place, `run_command`.
struct Failure {
  int code;
  std::string message;
};

/// Global options, shared by all commands.
struct Globals {
  std::string url;    ///< --url, ETESIAN_URL, http://localhost:8080.
  std::string token;  ///< --token, ETESIAN_TOKEN, or what `etesian login` kept for this url.
  Format format = Format::Table;
  Terminal terminal;
};

using Query = std::vector<std::pair<std::string, std::string>>;

/// The server's API as commands see it: JSON in, JSON out, Failure on anything else.
class Session {
 public:
  explicit Session(const Globals& globals);

  json::value get(const std::string& path, const Query& query = {});
  json::value post(const std::string& path, const json::value& body);
  json::value patch(const std::string& path, const json::value& body);
  json::value put(const std::string& path);
  void remove(const std::string& path);
  struct TextPage {
    std::string text;
    std::string next;  ///< Token of the page after it; empty: there is none.
  };
  TextPage get_text(const std::string& path, const Query& query = {});
  /// Server-sent events until the stream ends or `on_event(id, event, data)` returns false.
  using OnEvent =
      std::function<bool(const std::string& id, const std::string& event, const std::string& data)>;
  void events(const std::string& path, const Query& query, const OnEvent& on_event);
  /// All pages of a listing: the array under `member`.
  json::array all(const std::string& path, const std::string& member, Query query = {});

  static std::string escape(std::string_view segment) { return http::percent_encode(segment); }

 private:
  http::Response send(const std::string& method, const std::string& path, const Query& query,
                      const std::string& body);
  std::string token_;
  std::unique_ptr<http::Client> client_;
};

/// Keeps the token of the server at `url` for later commands: tokens.json below XDG_CONFIG_HOME,
/// readable by its owner alone. No other server is ever sent it.
void keep_token(const std::string& url, const std::string& token);

/// Text of a member, "" where it is absent or null.
std::string text_of(const json::value& object, std::string_view member);
/// Prints `value` as JSON or YAML; false when the format is a table, which the caller then prints.
bool print_structured(const Globals& globals, const json::value& value);
void print(std::string_view text);

}  // namespace etesian::cli
