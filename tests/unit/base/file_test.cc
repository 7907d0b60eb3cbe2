#include "base/file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

namespace etesian {
namespace {

class Files : public testing::Test {
 protected:
  Files() {
    std::string pattern = (std::filesystem::temp_directory_path() / "etesian_XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~Files() override { std::filesystem::remove_all(folder_); }
  std::string path(const std::string& name) const { return folder_ + "/" + name; }

 private:
  std::string folder_;
};

TEST_F(Files, what_was_written_is_read_back_and_private) {
  ASSERT_TRUE(write_file_durably(path("a"), "one"));
  ASSERT_TRUE(write_file_durably(path("a"), std::string("two\0three", 9)));
  EXPECT_EQ(*read_file(path("a")), std::string("two\0three", 9));
  struct stat info {};
  ASSERT_EQ(::stat(path("a").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(path("")), {}), 1);
}

TEST_F(Files, refusals_say_what_is_wrong) {
  EXPECT_EQ(read_file(path("none")).error().code, ErrorCode::NotFound);
  EXPECT_EQ(read_file(path("")).error().code, ErrorCode::InvalidInput);
  ASSERT_EQ(::mkfifo(path("fifo").c_str(), 0600), 0);
  EXPECT_EQ(read_file(path("fifo")).error().code, ErrorCode::InvalidInput);
  ASSERT_TRUE(write_file_durably(path("a"), "12345"));
  EXPECT_EQ(read_file(path("a"), 4).error().code, ErrorCode::TooLarge);
  EXPECT_TRUE(read_file(path("a"), 5));
  EXPECT_EQ(write_file_durably(path("none/a"), "x").error().code, ErrorCode::NotFound);
  EXPECT_FALSE(make_folders(path("a/b")));
}

TEST_F(Files, folders_are_made_with_their_parents) {
  ASSERT_TRUE(make_folders(path("x/y/z")));
  ASSERT_TRUE(make_folders(path("x/y/z")));
  EXPECT_TRUE(std::filesystem::is_directory(path("x/y/z")));
}

TEST_F(Files, a_lock_is_held_by_one_and_names_the_holder) {
  {
    const auto first = LockFile::acquire(path("lock"));
    ASSERT_TRUE(first);
    const auto second = LockFile::acquire(path("lock"));
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, ErrorCode::Conflict);
    EXPECT_EQ(second.error().message,
              "lock '" + path("lock") + "': held by pid " + std::to_string(::getpid()));
  }
  EXPECT_TRUE(LockFile::acquire(path("lock")));
}

}  // namespace
}  // namespace etesian
