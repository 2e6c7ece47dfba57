// SPDX-License-Identifier: Apache-2.0
#include "daemon/tasks/known_values.h"

#include <doctest/doctest.h>

#include "core/wire/event.h"

using namespace codexos;
using namespace codexos::daemon;

TEST_CASE("every text of an event is redacted, and only of the task that has the value") {
  KnownValues known;
  known.set("a", {"Some-Secret"});
  wire::Event e;
  e.target = "some-secret.example.com";
  e.argv = {"echo", "x Some-Secret"};
  e.input = "{\"key\":\"U29tZS1TZWNyZXQ\"}";
  wire::Event other = e;
  known.redact_texts("a", e);
  CHECK(*e.target == "***********.example.com");
  CHECK((*e.argv)[1] == "x ***********");
  CHECK(*e.input == "{\"key\":\"***************\"}");
  known.redact_texts("b", other);
  CHECK(*other.target == "some-secret.example.com");
  known.forget("a");
  CHECK(!known.find("a"));
}

TEST_CASE("what is not known is withheld until it is told; more values come to those before") {
  KnownValues known;
  std::string text = "first-value second-value";
  CHECK(known.redact("a", text));
  known.set("a", {"first-value"});
  known.add("a", {"second-value", "first-value"});
  CHECK(known.redact("a", text));
  CHECK(text == "*********** ************");
  known.withhold_all();
  CHECK(known.withholds("a"));
  CHECK(!known.withholds("b"));
  text = "first-value";
  CHECK(!known.redact("a", text));
  // Of these alone nothing can be told.
  known.add("a", {"second-value"});
  CHECK(known.withholds("a"));
  known.set("a", {"first-value"});
  CHECK(known.redact("a", text));
  CHECK(text == "***********");
}

TEST_CASE("placeholders are no values") {
  CHECK(!gives_values({}));
  CHECK(!gives_values({{"a", wire::SecretForm::placeholder, ""}}));
  CHECK(
      gives_values({{"a", wire::SecretForm::placeholder, ""}, {"b", wire::SecretForm::file, ""}}));
}
