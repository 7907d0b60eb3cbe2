#include "airflow/imports.h"

#include <algorithm>
#include <array>
#include <set>

namespace etesian::airflow {
namespace {

constexpr std::array kDynamic{"importlib", "__import__", "runpy", "pkgutil", "exec("};

bool is_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

std::vector<std::string> parts_of(std::string_view text, char between) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(between), text.size());
    if (end > 0) out.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

/// Words and punctuation of one statement; names keep their dots.
std::vector<std::string> words_of(std::string_view statement) {
  std::vector<std::string> out;
  for (std::size_t at = 0; at < statement.size();) {
    const char c = statement[at];
    if (c == '#') {
      at = std::min(statement.find('\n', at), statement.size());
    } else if (is_name(c) || c == '.') {
      const std::size_t begin = at;
      while (at < statement.size() && (is_name(statement[at]) || statement[at] == '.')) ++at;
      out.emplace_back(statement.substr(begin, at - begin));
    } else {
      if (c == ',' || c == ';') out.emplace_back(1, c);
      ++at;
    }
  }
  return out;
}

/// From its beginning to its end, which brackets and backslashes put off.
std::string_view statement_at(std::string_view text) {
  int depth = 0;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '(') ++depth;
    if (text[at] == ')') --depth;
    if (text[at] == '#') at = std::min(text.find('\n', at), text.size()) - 1;
    if (text[at] == '\\')
      ++at;
    else if (text[at] == '\n' && depth <= 0)
      return text.substr(0, at);
  }
  return text;
}

void add_module(std::string_view name, std::vector<std::string>& modules) {
  while (name.starts_with('.')) name.remove_prefix(1);
  if (!name.empty()) modules.emplace_back(name);
}

void add_imports(const std::vector<std::string>& words, std::vector<std::string>& modules) {
  std::string from;
  bool takes_names = false, is_alias = false;
  for (std::size_t i = 0; i < words.size() && words[i] != ";"; ++i) {
    const std::string& word = words[i];
    if (word == "from" && !takes_names && i + 1 < words.size()) {
      from = words[++i];
      add_module(from, modules);
    } else if (word == "import") {
      takes_names = true;
    } else if (word == ",") {
      is_alias = false;
    } else if (word == "as") {
      is_alias = true;
    } else if (takes_names && !is_alias) {
      add_module(from.empty() || from.ends_with('.') ? from + word : from + "." + word, modules);
    }
  }
}

}  // namespace

Imports imports_of(std::string_view text) {
  Imports out;
  out.is_dynamic = std::any_of(kDynamic.begin(), kDynamic.end(), [&](std::string_view word) {
    return text.find(word) != std::string_view::npos;
  });
  // A statement may also stand after "try:" or ";" on the same line: nobody imports so.
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t begin = text.find_first_not_of(" \t", at);
    if (begin == std::string_view::npos) break;
    const std::string_view rest = text.substr(begin);
    const auto starts = [&](std::string_view word) {
      return rest.starts_with(word) && rest.size() > word.size() && !is_name(rest[word.size()]);
    };
    std::size_t end = text.find('\n', begin);
    if (starts("import") || starts("from")) {
      const std::string_view statement = statement_at(rest);
      add_imports(words_of(statement), out.modules);
      end = begin + statement.size();
    }
    if (end >= text.size()) break;
    at = end + 1;
  }
  std::sort(out.modules.begin(), out.modules.end());
  out.modules.erase(std::unique(out.modules.begin(), out.modules.end()), out.modules.end());
  return out;
}

ImportGraph::ImportGraph(const std::string& folder) : above_(parts_of(folder, '/')) {}

std::size_t ImportGraph::add(const std::string& path, Imports imports) {
  File file{parts_of(path, '/'), std::move(imports)};
  if (file.name.back().ends_with(".py")) file.name.back().erase(file.name.back().size() - 3);
  if (file.name.back() == "__init__" && file.name.size() > 1) file.name.pop_back();
  by_last_.emplace(file.name.back(), files_.size());
  files_.push_back(std::move(file));
  return files_.size() - 1;
}

/// Files that may be the module.
void ImportGraph::find(const std::string& module, std::vector<std::size_t>& found) const {
  const std::vector<std::string> name = parts_of(module, '.');
  if (name.empty()) return;
  const auto [first, last] = by_last_.equal_range(name.back());
  for (auto at = first; at != last; ++at) {
    const std::vector<std::string>& own = files_[at->second].name;
    const std::size_t common = std::min(own.size(), name.size());
    if (!std::equal(own.end() - static_cast<std::ptrdiff_t>(common), own.end(),
                    name.end() - static_cast<std::ptrdiff_t>(common)))
      continue;
    // Named from above the bundle: then by the folders that it lies in.
    const std::size_t extra = name.size() - common;
    const bool is_ours = extra <= above_.size() &&
                         std::equal(name.begin(), name.begin() + static_cast<std::ptrdiff_t>(extra),
                                    above_.end() - static_cast<std::ptrdiff_t>(extra));
    if (is_ours) found.push_back(at->second);
  }
}

std::vector<std::size_t> ImportGraph::reach(std::size_t file) const {
  std::set<std::size_t> seen{file};
  std::vector<std::size_t> open{file};
  while (!open.empty()) {
    const File& next = files_[open.back()];
    open.pop_back();
    std::vector<std::size_t> found;
    if (next.imports.is_dynamic)
      for (std::size_t i = 0; i < files_.size(); ++i) found.push_back(i);
    for (const std::string& module : next.imports.modules)
      // Importing a.b.c runs the packages a and a.b first.
      for (std::size_t dot = module.find('.');; dot = module.find('.', dot + 1)) {
        find(module.substr(0, dot), found);
        if (dot == std::string::npos) break;
      }
    for (const std::size_t i : found)
      if (seen.insert(i).second) open.push_back(i);
  }
  seen.erase(file);
  return {seen.begin(), seen.end()};
}

}  // namespace etesian::airflow
