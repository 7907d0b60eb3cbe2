#include "engine/settings.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/json.h"

namespace etesian {
namespace {

/// Settings with a fresh key; `set_…` seals as the API does.
class SettingsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string folder = "/tmp/etesian-test.XXXXXX";
    ASSERT_NE(::mkdtemp(folder.data()), nullptr);
    folder_ = folder;
    auto vault = Vault::open(folder_ + "/key");
    ASSERT_TRUE(vault);
    vault_ = *vault;
    settings_ = std::make_unique<Settings>(vault_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  VariableRow variable(const std::string& key, const std::string& value) const {
    return {key, vault_->seal(value, Settings::place_of_variable(key)), "a description"};
  }
  ConnectionRow connection(const std::string& id, const std::string& password,
                           const std::string& extra = "") const {
    ConnectionRow row;
    row.id = id;
    row.type = "postgres";
    row.host = "db.example";
    row.port = 5432;
    row.login = "ann";
    row.schema = "sales";
    if (!password.empty())
      row.sealed_password = vault_->seal(password, Settings::place_of_password(id));
    if (!extra.empty()) row.sealed_extra = vault_->seal(extra, Settings::place_of_extra(id));
    return row;
  }
  json::object read(const std::string& id) const {
    const auto text = settings_->connection(id);
    if (!text) return {};
    return parse_json(*text)->as_object();
  }
  std::string uri(const ConnectionRow& row) {
    settings_->apply(ConnectionChanged{row});
    return std::string(read(row.id).at("uri").as_string());
  }

  std::string folder_;
  std::shared_ptr<Vault> vault_;
  std::unique_ptr<Settings> settings_;
};

TEST_F(SettingsTest, AVariableIsReadAsItWasSet) {
  EXPECT_EQ(settings_->variable("region"), std::nullopt);
  settings_->apply(VariableChanged{variable("region", "서울")});
  EXPECT_EQ(settings_->variable("region"), "서울");
  settings_->apply(VariableChanged{variable("region", "")});
  EXPECT_EQ(settings_->variable("region"), "");
  settings_->apply(VariableRemoved{"region"});
  EXPECT_EQ(settings_->variable("region"), std::nullopt);
}

TEST_F(SettingsTest, AVariableThatCannotBeOpenedDoesNotExist) {
  VariableRow stolen = variable("secret", "s3cret");
  stolen.key = "public";
  settings_->apply(VariableChanged{stolen});
  EXPECT_EQ(settings_->variable("public"), std::nullopt);
}

TEST_F(SettingsTest, AConnectionHasAirflowsMembers) {
  settings_->apply(ConnectionChanged{connection("dwh", "p@ss/w:rd", R"({"sslmode":"require"})")});
  EXPECT_EQ(
      canonical_json(read("dwh")),
      R"({"conn_id":"dwh","conn_type":"postgres","extra":"{\"sslmode\":\"require\"}","host":"db.example",)"
      R"("login":"ann","password":"p@ss/w:rd","port":5432,"schema":"sales",)"
      R"("uri":"postgres://ann:p%40ss%2Fw%3Ard@db.example:5432/sales"})");
  settings_->apply(ConnectionRemoved{"dwh"});
  EXPECT_EQ(settings_->connection("dwh"), std::nullopt);
}

TEST_F(SettingsTest, AUriLeavesOutWhatIsNotThere) {
  ConnectionRow row = connection("dwh", "");
  EXPECT_EQ(uri(row), "postgres://ann@db.example:5432/sales");
  row.port = 0;
  EXPECT_EQ(uri(row), "postgres://ann@db.example/sales");
  EXPECT_TRUE(read("dwh").at("port").is_null());
  row.schema.clear();
  row.login.clear();
  EXPECT_EQ(uri(row), "postgres://db.example");
  row.host.clear();
  EXPECT_EQ(uri(row), "postgres://");
}

TEST_F(SettingsTest, AUriEncodesAllButUnreservedCharacters) {
  ConnectionRow row = connection("dwh", "a%b 비");
  row.login = "ann@corp";
  row.schema = "s/1?x#y-._~";
  EXPECT_EQ(uri(row), "postgres://ann%40corp:a%25b%20%EB%B9%84@db.example:5432/s%2F1%3Fx%23y-._~");
}

TEST_F(SettingsTest, APasswordWithoutALoginIsStillInTheUri) {
  ConnectionRow row = connection("redis", "pw");
  row.type = "redis";
  row.login.clear();
  row.schema.clear();
  EXPECT_EQ(uri(row), "redis://:pw@db.example:5432");
}

TEST_F(SettingsTest, AConnectionWhosePasswordWasMovedDoesNotExist) {
  ConnectionRow row = connection("mine", "pw");
  row.sealed_password = connection("theirs", "their-password").sealed_password;
  settings_->apply(ConnectionChanged{row});
  EXPECT_EQ(settings_->connection("mine"), std::nullopt);
}

TEST_F(SettingsTest, ARestartFindsWhatTheStoreHolds) {
  const auto store = make_memory_store();
  const std::vector<Store::Item> items = {{VariableChanged{variable("region", "서울")}, {}},
                                          {ConnectionChanged{connection("dwh", "pw")}, {}}};
  ASSERT_TRUE(store->commit(items));
  ASSERT_TRUE(settings_->load(*store));
  EXPECT_EQ(settings_->variable("region"), "서울");
  EXPECT_EQ(read("dwh").at("password").as_string(), "pw");
}

TEST_F(SettingsTest, WhatWasNeverStoredIsForgottenByAReload) {
  settings_->apply(VariableChanged{variable("region", "서울")});
  settings_->apply(ConnectionChanged{connection("dwh", "pw")});
  const auto store = make_memory_store();
  ASSERT_TRUE(settings_->load(*store));
  EXPECT_EQ(settings_->variable("region"), std::nullopt);
  EXPECT_EQ(settings_->connection("dwh"), std::nullopt);
}

}  // namespace
}  // namespace etesian
