#include "daemon/wire/json_object.hpp"

namespace segmentd {

namespace dom = simdjson::dom;

void JsonComplaint::say(std::string_view where, std::string_view name, std::string_view problem) {
  if (any()) return;
  what.append(where).append(": ");
  if (!name.empty()) what.append("'").append(name).append("' ");
  what.append(problem);
}

JsonObject::JsonObject(dom::element json, std::string_view where, JsonComplaint& complaint)
    : where_(where), complaint_(complaint) {
  dom::object members;
  if (json.get_object().get(members) == simdjson::SUCCESS) {
    json_ = members;
  } else {
    complain("", "is not an object");
  }
}

std::optional<dom::element> JsonObject::member(std::string_view name) const {
  dom::element found;
  if (json_ && json_->at_key(name).get(found) == simdjson::SUCCESS) return found;
  complain(name, "is missing");
  return std::nullopt;
}

std::optional<dom::element> JsonObject::value(std::string_view name) const {
  const auto found = member(name);
  return found && !found->is_null() ? found : std::nullopt;
}

std::optional<std::string> JsonObject::text_or_null(std::string_view name) const {
  const auto found = value(name);
  if (!found) return std::nullopt;
  std::string_view text;
  if (found->get_string().get(text) != simdjson::SUCCESS) complain(name, "is not a string");
  return std::string(text);
}

std::string JsonObject::text(std::string_view name) const {
  const auto found = text_or_null(name);
  if (!found) complain(name, "is null");
  return found.value_or(std::string());
}

std::optional<std::int64_t> JsonObject::integer_or_null(std::string_view name) const {
  const auto found = value(name);
  if (!found) return std::nullopt;
  std::int64_t number = 0;
  if (found->get_int64().get(number) != simdjson::SUCCESS) complain(name, "is not an integer");
  return number;
}

std::int64_t JsonObject::integer(std::string_view name) const {
  const auto found = integer_or_null(name);
  if (!found) complain(name, "is null");
  return found.value_or(0);
}

std::optional<double> JsonObject::number_or_null(std::string_view name) const {
  const auto found = value(name);
  if (!found) return std::nullopt;
  double number = 0;
  if (found->get_double().get(number) != simdjson::SUCCESS) complain(name, "is not a number");
  return number;
}

double JsonObject::number(std::string_view name) const {
  const auto found = number_or_null(name);
  if (!found) complain(name, "is null");
  return found.value_or(0);
}

bool JsonObject::boolean(std::string_view name) const {
  const auto found = member(name);
  bool yes = false;
  if (found && found->get_bool().get(yes) != simdjson::SUCCESS) complain(name, "is not a boolean");
  return yes;
}

std::optional<Instant> JsonObject::time_or_null(std::string_view name) const {
  const auto text = text_or_null(name);
  if (!text) return std::nullopt;
  const auto parsed = parse_rfc3339(*text);
  if (!parsed || !parsed->offset_ms) {
    complain(name, "is not an RFC 3339 time");
    return Instant{};
  }
  return instant_of_utc(parsed->civil) - *parsed->offset_ms;
}

Instant JsonObject::time(std::string_view name) const {
  const auto found = time_or_null(name);
  if (!found) complain(name, "is null");
  return found.value_or(Instant{});
}

Segment JsonObject::segment_or_null(std::string_view name) const {
  const auto text = text_or_null(name);
  if (!text) return Segment::kNone;
  const auto segment = segment_of(*text);
  if (segment && *segment != Segment::kNone) return *segment;
  complain(name, "is not a segment");
  return Segment::kNone;
}

std::optional<JsonObject> JsonObject::object_or_null(std::string_view name) const {
  const auto found = value(name);
  if (!found) return std::nullopt;
  return JsonObject(*found, name, complaint_);
}

JsonObject JsonObject::object(std::string_view name) const {
  auto found = object_or_null(name);
  if (!found) complain(name, "is null");
  return found ? *found : *this;
}

std::vector<dom::element> JsonObject::array(std::string_view name) const {
  const auto found = member(name);
  dom::array elements;
  if (!found) return {};
  if (found->get_array().get(elements) != simdjson::SUCCESS) {
    complain(name, "is not an array");
    return {};
  }
  return {elements.begin(), elements.end()};
}

std::vector<double> JsonObject::numbers(std::string_view name) const {
  std::vector<double> numbers;
  for (const dom::element element : array(name)) {
    double number = 0;
    if (element.get_double().get(number) != simdjson::SUCCESS) complain(name, "holds no number");
    numbers.push_back(number);
  }
  return numbers;
}

}  // namespace segmentd
