#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace re2 {
class RE2;
}

namespace etesian::airflow {

/// The rules of .airflowignore files in glob syntax, as Airflow 3 applies them
/// (airflow/_shared/module_loading/file_discovery.py over pathspec's GitIgnoreSpecPattern): later
/// rules win, those of a folder come after those of the folders above it. Rules that Airflow
/// refuses are left out.
class IgnoreRules {
 public:
  /// The rules of one file that lies in `folder`, which is relative to the bundle; "" at its root.
  void add(std::string_view text, const std::string& folder);
  /// `path`: relative to the bundle, below the folders of all rules.
  bool ignores(const std::string& path, bool is_folder) const;

 private:
  struct Rule {
    std::shared_ptr<const re2::RE2> pattern;
    bool ignores = true;       ///< False: "!pattern".
    bool is_anchored = false;  ///< Matched against the path below `folder`, else against the name.
    bool only_folders = false;
    std::string folder;
  };
  static bool compile(std::string line, Rule& rule);
  std::vector<Rule> rules_;
};

}  // namespace etesian::airflow
