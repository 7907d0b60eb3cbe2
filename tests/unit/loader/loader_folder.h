#pragma once
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace etesian {

/// A fresh folder that is removed at the end; its verbs write files into it.
class TestFolder {
 public:
  TestFolder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "loader.XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~TestFolder() { std::filesystem::remove_all(path_); }
  TestFolder(const TestFolder&) = delete;
  TestFolder& operator=(const TestFolder&) = delete;

  const std::string& path() const { return path_; }
  void write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories(std::filesystem::path(path_ + "/" + name).parent_path());
    std::ofstream(path_ + "/" + name, std::ios::binary) << text;
  }
  void write_program(const std::string& name, const std::string& text) const {
    write(name, text);
    ::chmod((path_ + "/" + name).c_str(), 0755);
  }
  void remove(const std::string& name) const { std::filesystem::remove_all(path_ + "/" + name); }

 private:
  std::string path_;
};

}  // namespace etesian
