#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "loader/dag_file.h"

namespace etesian {

/// What tells that a file changed, without reading it.
struct FileSign {
  std::int64_t modified_ns = 0, changed_ns = 0;
  std::uint64_t size = 0, inode = 0, device = 0;
  friend bool operator==(const FileSign&, const FileSign&) = default;
};
/// Zeros when there is no such file. Does not follow a link at the end of the path.
FileSign sign_of(const std::string& path);

struct BundleLimits {
  std::size_t files = 2'000;
  std::uint64_t bytes =
      16UL << 20;  ///< Of content that is read; the rest counts by name, size and time.
  int depth = 16;
};

/// The content of a DAG's folder: what its commands are made of.
struct Bundle {
  std::string hash;  ///< SHA-256 over path, mode and content of all files, in order of path.
  std::vector<std::string> folders;  ///< Absolute, the DAG's own first: what to watch.
  std::vector<std::pair<std::string, FileSign>> signs;  ///< Of every folder and file seen.
  std::vector<std::string> warnings;                    ///< What is left out, and why.
};

/// Reads the folder of one DAG. Left out: hidden files, `__pycache__`, *.pyc, *.log, SQLite
/// databases, the DAG file itself (its canonical form stands for it), and what a `.etesianignore`
/// file in the folder names (one pattern of fnmatch(3) a line, matched against the relative path
/// and each name in it). Links are taken as they are written, never followed; pipes, sockets and
/// devices are never opened.
Bundle read_bundle(const std::string& folder, const BundleLimits& limits = {});

/// Facts of `relative` below `folder`, for DagFileContext::look.
FileFacts look_at(const std::string& folder, const std::string& relative);

}  // namespace etesian
