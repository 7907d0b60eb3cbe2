#include <CLI/CLI.hpp>
#include <memory>

#include "cli/commands.h"

namespace etesian::cli {
namespace {

/// "dags list show …": the words that may follow `path`.
void collect(const CLI::App& app, const std::string& path,
             std::vector<std::pair<std::string, std::string>>& out) {
  std::string words;
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (sub->get_name().empty()) continue;
    words += (words.empty() ? "" : " ") + sub->get_name();
    collect(*sub, path + "/" + sub->get_name(), out);
  }
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames())
      words += (words.empty() ? "--" : " --") + name;
  out.emplace_back(path, words);
}

std::string bash_script(const CLI::App& root) {
  std::vector<std::pair<std::string, std::string>> nodes;
  collect(root, "", nodes);
  std::string script =
      "_etesian() {\n  local path= word words=\n  for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; "
      "do\n"
      "    case \"$path/$word\" in\n";
  for (const auto& [path, words] : nodes)
    if (!path.empty()) script += "      " + path + ") path=" + path + " ;;\n";
  script += "    esac\n  done\n  case \"$path\" in\n";
  for (const auto& [path, words] : nodes)
    script += "    '" + path + "') words='" + words + "' ;;\n";
  script +=
      "  esac\n  COMPREPLY=($(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n}\n"
      "complete -o default -F _etesian etesian\n";
  return script;
}

}  // namespace

void add_completion_command(CLI::App& app, Chosen& chosen) {
  auto shell = std::make_shared<std::string>();
  CLI::App* command =
      app.add_subcommand("completion", "Completion script: source <(etesian completion bash)");
  command->add_option("SHELL", *shell, "bash or zsh")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh"}));
  command->callback([&app, &chosen, shell] {
    chosen = [&app, shell] {
      // zsh runs bash's completion functions once bashcompinit is loaded.
      if (*shell == "zsh")
        print("autoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n");
      print(bash_script(app));
      return kOk;
    };
  });
}

}  // namespace etesian::cli
