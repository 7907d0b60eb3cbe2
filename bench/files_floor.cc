// The least that reading a project can cost: every YAML file below a folder read and split into
// events by libyaml, or every one only looked at.
//   files_floor parse FOLDER     open, read, libyaml's events to the end
//   files_floor stat FOLDER      stat
// Prints one JSON object.
#include <sys/stat.h>
#include <yaml.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace {

namespace fs = std::filesystem;

std::vector<std::string> yaml_files(const std::string& folder) {
  std::vector<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder))
    if (entry.path().extension() == ".yaml") files.push_back(entry.path().string());
  return files;
}

/// Returns the bytes read; 0 when libyaml refuses the text.
std::size_t parse(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  yaml_parser_t parser;
  yaml_parser_initialize(&parser);
  yaml_parser_set_input_string(&parser, reinterpret_cast<const unsigned char*>(text.data()),
                               text.size());
  bool is_good = true, is_end = false;
  while (is_good && !is_end) {
    yaml_event_t event;
    is_good = yaml_parser_parse(&parser, &event) == 1;
    is_end = is_good && event.type == YAML_STREAM_END_EVENT;
    if (is_good) yaml_event_delete(&event);
  }
  yaml_parser_delete(&parser);
  return is_good ? text.size() : 0;
}

std::size_t look_at(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 ? static_cast<std::size_t>(info.st_size) : 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view what = argc == 3 ? argv[1] : "";
  if (what != "parse" && what != "stat") {
    std::fprintf(stderr, "usage: files_floor parse|stat FOLDER\n");
    return 2;
  }
  const std::vector<std::string> files = yaml_files(argv[2]);
  const auto begin = std::chrono::steady_clock::now();
  std::size_t bytes = 0;
  for (const std::string& path : files) {
    const std::size_t size = what == "parse" ? parse(path) : look_at(path);
    if (size == 0) {
      std::fprintf(stderr, "files_floor: read %s: no YAML\n", path.c_str());
      return 1;
    }
    bytes += size;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  std::printf("{\"measure\":\"files-%s\",\"files\":%zu,\"bytes\":%zu,\"seconds\":%.6f}\n", argv[1],
              files.size(), bytes, took.count());
}
