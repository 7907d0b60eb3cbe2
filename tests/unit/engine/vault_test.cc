#include "engine/vault.h"

#include <gtest/gtest.h>
#include <sodium.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "base/bytes.h"
#include "base/file.h"

namespace etesian {
namespace {

constexpr const char* kPlace = "variable/token/value";

class VaultTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string folder = "/tmp/etesian-test.XXXXXX";
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    folder_ = folder;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string path(const std::string& name) const { return folder_ + "/" + name; }
  std::shared_ptr<Vault> open(const std::string& name = "key") {
    auto vault = Vault::open(path(name));
    EXPECT_TRUE(vault) << (vault ? "" : vault.error().message);
    return vault ? *vault : nullptr;
  }
  static std::string refusal(const Vault& vault, const std::string& sealed,
                             const std::string& place = kPlace) {
    const auto plain = vault.unseal(sealed, place);
    if (plain) return "opened";
    EXPECT_EQ(plain.error().code, ErrorCode::Corrupt);
    return plain.error().message;
  }
  static std::string bytes_of(const std::string& text) {
    std::string data(text.size(), '\0');
    std::size_t size = 0;
    EXPECT_EQ(
        sodium_base642bin(reinterpret_cast<unsigned char*>(data.data()), data.size(), text.data(),
                          text.size(), nullptr, &size, nullptr, sodium_base64_VARIANT_ORIGINAL),
        0);
    data.resize(size);
    return data;
  }

  std::string folder_;
};

TEST_F(VaultTest, WhatIsSealedCanBeRead) {
  const auto vault = open();
  for (const std::string& plain : {std::string("s3cret"), std::string(), std::string("a\0b", 3),
                                   std::string(100'000, 'x'), std::string("비밀번호")}) {
    const auto read = vault->unseal(vault->seal(plain, kPlace), kPlace);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(*read, plain);
  }
}

TEST_F(VaultTest, ARestartReadsWhatWasSealedBefore) {
  const std::string sealed = open()->seal("s3cret", kPlace);
  EXPECT_EQ(*open()->unseal(sealed, kPlace), "s3cret");
}

TEST_F(VaultTest, EqualSecretsLookDifferent) {
  const auto vault = open();
  std::set<std::string> records;
  for (int i = 0; i < 100; ++i) records.insert(vault->seal("s3cret", kPlace));
  EXPECT_EQ(records.size(), 100U);
}

TEST_F(VaultTest, AChangedBitAnywhereIsNoticed) {
  const auto vault = open();
  const std::string sealed = vault->seal("s3cret", kPlace);
  const std::string record = bytes_of(sealed);
  for (std::size_t i = 0; i < record.size(); ++i)
    for (int bit = 0; bit < 8; ++bit) {
      std::string changed = record;
      changed[i] = static_cast<char>(changed[i] ^ (1 << bit));
      EXPECT_EQ(
          refusal(*vault, base64(changed)),
          i < 4
              ? "unseal variable/token/value: sealed with another key; restore the key file that "
                "was in use "
                "then, or set the value again"
              : "unseal variable/token/value: the record was changed or belongs to another place");
    }
}

TEST_F(VaultTest, AChangedCharacterOfTheStoredTextIsNoticed) {
  const auto vault = open();
  for (int record = 0; record < 20; ++record) {  // among them texts with '+', '/' and both paddings
    const std::string sealed =
        vault->seal(std::string(static_cast<std::size_t>(record), 's'), kPlace);
    for (std::size_t i = 0; i < sealed.size(); ++i)
      for (int bit = 0; bit < 8; ++bit) {
        std::string changed = sealed;
        changed[i] = static_cast<char>(changed[i] ^ (1 << bit));
        EXPECT_NE(refusal(*vault, changed), "opened") << sealed << " at " << i << " bit " << bit;
      }
  }
}

TEST_F(VaultTest, ATruncatedOrForeignTextIsNoRecord) {
  const auto vault = open();
  const std::string sealed = vault->seal("s3cret", kPlace);
  for (std::size_t size = 0; size < sealed.size(); ++size)
    EXPECT_NE(refusal(*vault, sealed.substr(0, size)), "opened") << size;
  EXPECT_EQ(refusal(*vault, ""), "unseal variable/token/value: not a sealed record");
  EXPECT_EQ(refusal(*vault, "plain text"), "unseal variable/token/value: not a sealed record");
  EXPECT_EQ(refusal(*vault, sealed + "AAAA"),
            sealed.ends_with("=")
                ? "unseal variable/token/value: not a sealed record"
                : "unseal variable/token/value: the record was changed or belongs "
                  "to another place");
}

TEST_F(VaultTest, ARecordMovedToAnotherPlaceIsRefused) {
  const auto vault = open();
  const std::string sealed = vault->seal("s3cret", "variable/harmless/value");
  EXPECT_EQ(refusal(*vault, sealed),
            "unseal variable/token/value: the record was changed or belongs to another place");
}

TEST_F(VaultTest, AnotherKeyIsSaidToBeOne) {
  const std::string sealed = open("old")->seal("s3cret", kPlace);
  EXPECT_EQ(refusal(*open("new"), sealed),
            "unseal variable/token/value: sealed with another key; restore the key file that was "
            "in use then, or set "
            "the value again");
}

TEST_F(VaultTest, ANewKeyIsReadableByItsOwnerOnly) {
  const mode_t before = umask(0);
  open();
  umask(before);
  struct stat info {};
  ASSERT_EQ(stat(path("key").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600U);
  EXPECT_EQ(info.st_size, 32);
}

TEST_F(VaultTest, AKeyThatOthersCanReadIsRefused) {
  open();
  for (const mode_t mode : {0640U, 0604U, 0660U, 0610U}) {
    ASSERT_EQ(chmod(path("key").c_str(), mode), 0);
    const auto vault = Vault::open(path("key"));
    ASSERT_FALSE(vault);
    EXPECT_EQ(vault.error().code, ErrorCode::Denied);
    EXPECT_EQ(vault.error().message,
              "open key '" + path("key") +
                  "': others may read it; run chmod 600 on it and, if it was exposed, seal "
                  "everything anew");
  }
  ASSERT_EQ(chmod(path("key").c_str(), 0400), 0);
  EXPECT_TRUE(Vault::open(path("key")));
}

TEST_F(VaultTest, AFileOfAnotherSizeIsNoKey) {
  for (const std::size_t size : {0UL, 31UL, 33UL}) {
    ASSERT_TRUE(write_file_durably(path("key"), std::string(size, 'k')));
    const auto vault = Vault::open(path("key"));
    ASSERT_FALSE(vault);
    EXPECT_EQ(vault.error().code, ErrorCode::Corrupt);
    EXPECT_EQ(vault.error().message, "open key '" + path("key") + "': is not a key of 32 bytes");
  }
}

TEST_F(VaultTest, AFolderThatDoesNotExistIsSaid) {
  const auto vault = Vault::open(path("none/key"));
  ASSERT_FALSE(vault);
  EXPECT_EQ(vault.error().code, ErrorCode::NotFound);
}

TEST_F(VaultTest, derived_keys_follow_from_key_and_purpose_alone) {
  const auto vault = open();
  const std::string derived = vault->derive_key("worker-token");
  EXPECT_EQ(derived.size(), 32U);
  EXPECT_EQ(open()->derive_key("worker-token"), derived);
  EXPECT_NE(vault->derive_key("worker-tokens"), derived);
  EXPECT_NE(vault->derive_key(""), derived);
  EXPECT_NE(open("other key")->derive_key("worker-token"), derived);
  EXPECT_NE(*read_file(path("key"), 100), derived);
}

}  // namespace
}  // namespace etesian
