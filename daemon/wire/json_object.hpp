// Reads the members of a JSON object that we wrote ourselves, strictly, and remembers the first
// thing that is wrong, so that a reader is a straight list of members. Only for .cpp files: it
// brings simdjson.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <simdjson.h>

#include "state/core/instant.hpp"
#include "state/core/result.hpp"
#include "state/core/segment.hpp"

namespace segmentd {

/// Shared by the objects of one document: what went wrong first.
struct JsonComplaint {
  std::string what;
  bool any() const { return !what.empty(); }
  void say(std::string_view where, std::string_view name, std::string_view problem);
  Error error() const { return {Errc::kBadInput, what}; }
};

/// Every getter returns a neutral value after a complaint. Members that nobody asks for are
/// ignored: later versions add some. The _or_null forms take null for nullopt, but the member must
/// be there.
class JsonObject {
 public:
  /// `where` names the object in complaints and must outlive it; so must `complaint`.
  JsonObject(simdjson::dom::element json, std::string_view where, JsonComplaint& complaint);

  std::string text(std::string_view name) const;
  std::optional<std::string> text_or_null(std::string_view name) const;
  std::int64_t integer(std::string_view name) const;
  std::optional<std::int64_t> integer_or_null(std::string_view name) const;
  double number(std::string_view name) const;
  std::optional<double> number_or_null(std::string_view name) const;
  bool boolean(std::string_view name) const;
  Instant time(std::string_view name) const;
  std::optional<Instant> time_or_null(std::string_view name) const;
  /// null = kNone.
  Segment segment_or_null(std::string_view name) const;
  JsonObject object(std::string_view name) const;
  std::optional<JsonObject> object_or_null(std::string_view name) const;
  std::vector<simdjson::dom::element> array(std::string_view name) const;
  std::vector<double> numbers(std::string_view name) const;

  void complain(std::string_view name, std::string_view problem) const {
    complaint_.say(where_, name, problem);
  }

 private:
  std::optional<simdjson::dom::element> member(std::string_view name) const;
  /// nullopt also for null.
  std::optional<simdjson::dom::element> value(std::string_view name) const;

  std::optional<simdjson::dom::object> json_;  // nullopt = it was no object
  std::string_view where_;
  JsonComplaint& complaint_;
};

}  // namespace segmentd
