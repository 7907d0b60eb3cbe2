#include "loader/bundle.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <fnmatch.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <memory>

#include "base/bytes.h"
#include "base/file.h"

namespace etesian {
namespace {

constexpr std::array kLeftOut = {"__pycache__",      "*.pyc",        "*.log",       "*.db",
                                 "*.db-journal",     "*.db-wal",     "*.db-shm",    "*.sqlite",
                                 "*.sqlite-journal", "*.sqlite-wal", "*.sqlite-shm"};

std::int64_t nanoseconds(const timespec& t) {
  return std::int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

FileSign sign_from(const struct stat& info) {
  return {nanoseconds(info.st_mtim), nanoseconds(info.st_ctim),
          static_cast<std::uint64_t>(info.st_size), info.st_ino, info.st_dev};
}

std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  const std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(folder.c_str()), ::closedir);
  if (!open) return names;
  while (const dirent* entry = ::readdir(open.get()))
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  std::sort(names.begin(), names.end());
  return names;
}

class BundleReader {
 public:
  BundleReader(std::string folder, const BundleLimits& limits)
      : root_(std::move(folder)), limits_(limits) {
    const std::string ignore_file = root_ + "/.etesianignore";
    bundle_.signs.emplace_back(ignore_file, sign_of(ignore_file));
    const auto text = read_file(ignore_file, 64 << 10);
    if (!text) return;
    for (std::size_t begin = 0; begin < text->size();) {
      const std::size_t end = std::min(text->find('\n', begin), text->size());
      std::string line = text->substr(begin, end - begin);
      begin = end + 1;
      while (!line.empty() && (line.back() == '\r' || line.back() == ' ' || line.back() == '/'))
        line.pop_back();
      if (!line.empty() && line[0] != '#') ignored_.push_back(std::move(line));
    }
  }

  Bundle read() {
    walk("", 0);
    bundle_.hash = sha256_hex(listing_);
    return std::move(bundle_);
  }

 private:
  bool is_ignored(const std::string& relative, const std::string& name) const {
    const auto fits = [&](const char* pattern) {
      return ::fnmatch(pattern, name.c_str(), 0) == 0 ||
             ::fnmatch(pattern, relative.c_str(), 0) == 0;
    };
    return std::any_of(kLeftOut.begin(), kLeftOut.end(), fits) ||
           std::any_of(ignored_.begin(), ignored_.end(),
                       [&](const std::string& p) { return fits(p.c_str()); });
  }

  void warn(std::string text) {
    if (bundle_.warnings.size() < 10) bundle_.warnings.push_back(std::move(text));
  }

  void walk(const std::string& relative, int depth) {
    const std::string folder = relative.empty() ? root_ : root_ + "/" + relative;
    if (depth > limits_.depth) {
      warn(
          fmt::format("folder '{}' is nested too deep and no part of the dag's version", relative));
      return;
    }
    bundle_.folders.push_back(folder);
    bundle_.signs.emplace_back(folder, sign_of(folder));
    for (const std::string& name : names_in(folder)) {
      const std::string path = relative.empty() ? name : relative + "/" + name;
      if (is_ignored(path, name) || (relative.empty() && (name == "dag.yaml" || name == "dag.yml")))
        continue;
      if (++files_ > limits_.files) {
        if (files_ == limits_.files + 1)
          warn(fmt::format(
              "more than {} files: the rest is no part of the dag's version; name data in "
              ".etesianignore",
              limits_.files));
        return;
      }
      take(path, depth);
    }
  }

  void take(const std::string& path, int depth) {
    const std::string full = root_ + "/" + path;
    struct stat info {};
    if (::lstat(full.c_str(), &info) != 0) return;  // gone since it was listed
    if (S_ISDIR(info.st_mode)) return walk(path, depth + 1);
    bundle_.signs.emplace_back(full, sign_from(info));
    const bool is_executable = info.st_mode & S_IXUSR;
    if (S_ISLNK(info.st_mode)) {
      std::array<char, 4096> target{};
      const ssize_t n = ::readlink(full.c_str(), target.data(), target.size());
      listing_ +=
          fmt::format("link {} {}\n", path,
                      std::string_view(target.data(), n > 0 ? static_cast<std::size_t>(n) : 0));
    } else if (!S_ISREG(info.st_mode)) {
      warn(fmt::format("'{}' is not a regular file and no part of the dag's version", path));
    } else if (const auto size = static_cast<std::uint64_t>(info.st_size);
               bytes_ + size > limits_.bytes) {
      warn(
          fmt::format("'{}' is too large to be read for the dag's version: its size and time stand "
                      "for it; name "
                      "data in .etesianignore",
                      path));
      listing_ += fmt::format("large {} {} {}\n", path, size, nanoseconds(info.st_mtim));
    } else if (const auto content = read_file(full, limits_.bytes)) {
      bytes_ += size;
      listing_ +=
          fmt::format("{} {} {}\n", is_executable ? "program" : "file", path, sha256_hex(*content));
    } else {
      warn(content.error().message);
    }
  }

  std::string root_;
  const BundleLimits& limits_;
  std::vector<std::string> ignored_;
  Bundle bundle_;
  std::string listing_;
  std::size_t files_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace

FileSign sign_of(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0 ? sign_from(info) : FileSign{};
}

Bundle read_bundle(const std::string& folder, const BundleLimits& limits) {
  return BundleReader(folder, limits).read();
}

FileFacts look_at(const std::string& folder, const std::string& relative) {
  const std::string path = folder + "/" + relative;
  FileFacts facts;
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return facts;
  facts.exists = true;
  facts.is_folder = S_ISDIR(info.st_mode);
  facts.is_executable = info.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH);
  if (!S_ISREG(info.st_mode)) return facts;
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  std::array<char, 4> head{};
  const ssize_t n = fd ? ::read(fd.get(), head.data(), head.size()) : 0;
  const std::string_view begin(head.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
  facts.has_interpreter = begin.starts_with("#!") || begin ==
                                                         "\x7f"
                                                         "ELF";
  return facts;
}

}  // namespace etesian
