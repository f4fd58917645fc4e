"""Moves by silence, held against the orders that lay in the input."""
import collections

from documents import check_same
from instants import ms_of


def silences(events):
    return [event for event in events if event["data"]["cause"] == "silence"]


def history_of(records):
    """A function of a customer and an instant: (last order, frequency, monetary in minor units) by the
    records before it."""
    history = collections.defaultdict(list)
    for record in records:
        sold = record.get("type", "order") == "order"
        at = record["ordered_at" if sold else "refunded_at"]
        minor = int(record["amount"].replace(".", "")) * (1 if sold else -1)
        history[record.get("customer_id")].append((at, sold, minor))

    def figures(customer, instant):
        past = [each for each in history[customer] if each[0] < instant]
        orders = [at for at, sold, _ in past if sold]
        return max(orders), len(orders), sum(minor for _, _, minor in past)

    return figures


def check_silences(events, records, end_ms):
    """Decided with every record read that was older: none that lay unread makes it wrong. Those moves."""
    figures = history_of(records)
    moves = silences(events)
    for event in moves:
        data = event["data"]
        assert ms_of(event["time"]) <= ms_of(data["decided_at"]) <= end_ms, event
        assert data["to_segment"] is not None, event
        after = data["after"]
        found = (after["last_order_at"], after["frequency"], after["monetary_minor"])
        expected = figures(data["customer_id"], data["decided_at"])
        assert found == expected, f"decided with {found}, not {expected}: {event}"
    return moves


def check_the_same_as_replay(application, events, end):
    """Of the same records, with the epochs where they took effect: the same moves up to `end`, though replay's
    clock is another. What is said about the instant of deciding differs."""
    records = application.directory / "records.ndjson"
    records.write_bytes(b"\n".join(m.value for m in application.kafka.read(application.input)))
    epochs = application.directory / "epochs.ndjson"
    epochs.write_bytes(b"\n".join(message.value for word in ("model", "statistics")
                                  for message in application.kafka.read(f"{application.name}-{word}")))
    replayed = application.replay(records, "--epochs", epochs, "--until", end)
    found, expected = (sorted(essence(event) for event in each if event["time"] <= end)
                       for each in (events, replayed.events))
    check_same(found, expected, "moves")


def essence(event):
    data = event["data"]
    return (event["id"], event["time"], data["from_segment"] or "", data["to_segment"], data["cause"],
            data["after"]["last_order_at"], (data["next"] or {"at": ""})["at"])
