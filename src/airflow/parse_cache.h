#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "airflow/outcome.h"

namespace etesian::airflow {

/// What is remembered of a file's parse over a restart of the server; the DAGs themselves are in
/// the store.
struct ParseNote {
  std::string input;                            ///< DagFile::input.
  std::map<std::string, std::string> versions;  ///< By DAG id.
  std::vector<Problem> problems;
  std::vector<std::string> unstable;  ///< Fields that differ from parse to parse, "dag: field".
};

/// One small file for each DAG file in a folder. Nothing depends on it but time: what is missing,
/// torn or of another version is not there.
class ParseCache {
 public:
  explicit ParseCache(std::string folder);
  std::optional<ParseNote> find(const std::string& bundle, const std::string& path) const;
  void keep(const std::string& bundle, const std::string& path, const ParseNote& note) const;
  void forget(const std::string& bundle, const std::string& path) const;

 private:
  std::string place_of(const std::string& bundle, const std::string& path) const;
  std::string folder_;
};

}  // namespace etesian::airflow
