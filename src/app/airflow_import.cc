#include "app/airflow_import.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <vector>

#include "airflow/package.h"
#include "airflow/sources.h"
#include "app/airflow_setup.h"

namespace etesian {
namespace {

using cli::Tone;

/// What the server shows for a secret.
constexpr std::string_view kHidden = "***";

std::string shell_word(const std::string& word) {
  std::string out = "'";
  for (const char c : word) out += c == '\'' ? "'\\''" : std::string(1, c);
  return out + "'";
}

/// What export.py finds. The program's text goes to the interpreter as an argument, so that nothing
/// is written to disk; its answer, which holds secrets, comes through a pipe.
json::object exported(const std::string& python, const AirflowImportOptions& options) {
  std::string program;
  for (const airflow::PackageFile& file : airflow::package_files())
    if (std::string_view(file.name) == "etesian_airflow/export.py") program = file.content;
  // An argument can be seen by others on this machine; the environment cannot.
  if (!options.sql_alchemy_conn.empty())
    ::setenv("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN", options.sql_alchemy_conn.c_str(), 1);
  std::string line = "exec " + shell_word(python) + " -P -c " + shell_word(program);
  if (!options.airflow_home.empty()) line += " --airflow-home " + shell_word(options.airflow_home);
  std::FILE* pipe = ::popen(line.c_str(), "re");
  if (pipe == nullptr) throw cli::Failure{cli::kFailed, "run '" + python + "'"};
  std::string answer;
  std::array<char, 65536> buffer;
  while (const std::size_t n = std::fread(buffer.data(), 1, buffer.size(), pipe))
    answer.append(buffer.data(), n);
  const int status = ::pclose(pipe);
  auto value = parse_json(answer, 256UL << 20);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || !value || !value->is_object())
    throw cli::Failure{cli::kFailed,
                       "read the Airflow installation with '" + python + "': see the lines above"};
  return std::move(value->get_object());
}

/// One line of the report.
struct Step {
  std::string kind, name, action, note;
};

Tone tone_of(const std::string& action) {
  if (action == "failed" || action == "not read") return Tone::Bad;
  if (action == "no equivalent" || action == "not here") return Tone::Warn;
  if (action == "kept" || action == "same") return Tone::Quiet;
  return Tone::Good;
}

/// A kind of setting, as REST names it.
struct Kind {
  const char* name;    ///< "connection"
  const char* plural;  ///< Path and member of the listing, and member of the export.
  const char* id;      ///< Member that names one.
};
constexpr Kind kConnection{"connection", "connections", "connection_id"};
constexpr Kind kVariable{"variable", "variables", "key"};
constexpr Kind kPool{"pool", "pools", "name"};

class Import {
 public:
  Import(cli::Session& session, const AirflowImportOptions& options)
      : session_(session), options_(options) {}

  void take_settings(const Kind& kind, const json::object& there) {
    std::map<std::string, json::object> here;
    const std::string path = std::string("/api/v2/") + kind.plural;
    for (const json::value& row : session_.all(path, kind.plural))
      here[cli::text_of(row, kind.id)] = row.as_object();
    for (const json::value& row : there.at(kind.plural).as_array()) {
      const std::string id = cli::text_of(row, kind.id);
      const auto found = here.find(id);
      if (found == here.end()) {
        apply(kind.name, id, "create", [&] { session_.post(path, without_null(row)); });
        continue;
      }
      const std::string differing = differences(row.as_object(), found->second);
      const bool is_secret = row.as_object().contains("password");
      if (differing.empty() && !is_secret)
        add(kind.name, id, "same", "");
      else if (options_.overwrite)
        apply(kind.name, id, "replace",
              [&] { session_.patch(path + "/" + cli::Session::escape(id), row); });
      else
        add(kind.name, id, "kept",
            (differing.empty() ? "the same but for what is secret, which is not compared"
                               : "another " + differing) +
                "; --overwrite replaces it");
    }
  }

  void take_paused_states(const json::object& there) {
    std::map<std::string, bool> here;
    for (const json::value& dag : session_.all("/api/v2/dags", "dags"))
      here[cli::text_of(dag, "dag_id")] = dag.at("is_paused").as_bool();
    for (const json::value& dag : there.at("dags").as_array()) {
      const std::string id = cli::text_of(dag, "dag_id");
      const bool is_paused = dag.at("is_paused").as_bool();
      const auto found = here.find(id);
      if (found == here.end())
        add("dag", id, "not here", "is its file in the server's folder, and does it load?");
      else if (found->second == is_paused)
        add("dag", id, "same", is_paused ? "paused" : "active");
      else if (!is_paused && !options_.unpause)
        add("dag", id, "kept",
            "paused, and active there; --unpause lets it run here (stop Airflow's scheduler "
            "first)");
      else
        apply("dag", id, is_paused ? "pause" : "unpause", [&] {
          session_.patch("/api/v2/dags/" + cli::Session::escape(id), {{"is_paused", is_paused}});
        });
    }
  }

  void tell_rest(const json::object& there) {
    for (const json::value& row : there.at("left").as_array())
      add("", cli::text_of(row, "what"), "no equivalent", cli::text_of(row, "why"));
    for (const json::value& row : there.at("problems").as_array())
      add("", cli::text_of(row, "what"), "not read", cli::text_of(row, "why"));
  }

  const std::vector<Step>& steps() const { return steps_; }

 private:
  static json::object without_null(const json::value& row) {
    json::object body;
    for (const auto& [name, value] : row.as_object())
      if (!value.is_null()) body[name] = value;
    return body;
  }

  /// Members that are not the same on both sides, joined; what the server hides is not compared.
  static std::string differences(const json::object& there, const json::object& here) {
    std::vector<std::string> names;
    for (const auto& [name, value] : there)
      if (name != "password" && name != "extra" && cli::text_of(here, name) != kHidden &&
          cli::text_of(here, name) != cli::text_of(there, name))
        names.emplace_back(name);
    return fmt::format("{}", fmt::join(names, ", "));
  }

  template <class Call>
  void apply(const char* kind, const std::string& id, const std::string& verb, Call call) {
    if (options_.dry_run) return add(kind, id, "to " + verb, "");
    try {
      call();
      add(kind, id, verb + (verb.ends_with('e') ? "d" : "ed"), "");
    } catch (const cli::Failure& failure) {
      // Of this one alone; a server that is gone or lets nobody in ends the command.
      if (failure.code != cli::kRefused && failure.code != cli::kNotFound) throw;
      add(kind, id, "failed", failure.message);
    }
  }

  void add(const std::string& kind, const std::string& name, const std::string& action,
           const std::string& note) {
    steps_.push_back({kind, name, action, note});
  }

  cli::Session& session_;
  const AirflowImportOptions& options_;
  std::vector<Step> steps_;
};

void print_steps(const cli::Globals& globals, const std::vector<Step>& steps, bool is_dry_run) {
  for (const Step& step : steps) {
    const std::string what =
        step.kind.empty() ? step.name : fmt::format("{} '{}'", step.kind, step.name);
    const std::string note = step.note.empty() ? "" : ": " + step.note;
    cli::print(
        cli::paint(globals.terminal, tone_of(step.action), fmt::format("{:<14}", step.action)) +
        cli::visible(what + note) + "\n");
  }
  if (is_dry_run) cli::print("nothing has been changed: this was a dry run\n");
}

json::array json_of(const std::vector<Step>& steps) {
  json::array rows;
  for (const Step& step : steps)
    rows.push_back(
        {{"kind", step.kind}, {"name", step.name}, {"action", step.action}, {"note", step.note}});
  return rows;
}

}  // namespace

int import_airflow(const cli::Globals& globals, const AirflowImportOptions& options) {
  const std::string home = std::filesystem::absolute(options.home).lexically_normal().string();
  const auto python = airflow_python(
      {.dags = ".", .home = home, .program = "", .python = options.python}, airflow::Bundle());
  if (!python) throw cli::Failure{cli::kFailed, python.error().message};
  cli::Session session(globals);
  session.get("/api/v2/pools",
              {{"limit", "1"}});  // Says at once that nobody is there, or lets us in.
  const json::object there = exported(*python, options);
  Import import(session, options);
  for (const Kind* kind : {&kConnection, &kVariable, &kPool}) import.take_settings(*kind, there);
  import.take_paused_states(there);
  import.tell_rest(there);
  if (!cli::print_structured(globals, json::object{{"database", there.at("database")},
                                                   {"dry_run", options.dry_run},
                                                   {"steps", json_of(import.steps())}}))
    print_steps(globals, import.steps(), options.dry_run);
  const bool is_complete = std::none_of(
      import.steps().begin(), import.steps().end(),
      [](const Step& step) { return step.action == "failed" || step.action == "not read"; });
  return is_complete ? cli::kOk : cli::kFailed;
}

}  // namespace etesian
