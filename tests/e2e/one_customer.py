"""Applications with one customer in each partition, `c0` in partition 0 and so on, whose orders are
numbered: how many of them have taken effect is the customer's frequency."""
import json
import unittest

from harness import Application
from waiting import until

BROKER, STATE = 3, 4
SECONDS = 60


def order(n, customer="c", **more):
    return json.dumps({"order_id": f"o{n}", "customer_id": customer, "amount": "1.50", "currency": "GBP",
                       "ordered_at": f"2011-01-{1 + n % 28:02}T00:00:00Z", **more}).encode()


class OneCustomerAPartition(unittest.TestCase):
    def begin(self, word, partitions=2, orders=50, **settings):
        """An application that has consumed some orders of each customer, and is stopped."""
        application = self.application(word, partitions, **settings)
        for p in range(partitions):
            self.send(application, p, range(orders))
        application.daemon.start()
        application.wait_until_consumed()
        application.daemon.stop()
        return application

    def application(self, word, partitions=2, **settings):
        return Application(self, word, partitions, input__partitioner="unchecked", **settings)

    def send(self, application, partition, numbers, **more):
        customer = f"c{partition}"
        for n in numbers:
            application.kafka.send(application.input, customer.encode(), order(n, customer, **more),
                                   partition)

    def frequency(self, application, customer):
        return [row["frequency"] for row in application.rows() if row["customer_id"] == customer][-1]

    def wait_for_offset(self, application, partition, offset):
        until(lambda: application.daemon.require_running() and
              application.kafka.committed(application.name, application.input)[partition] >= offset,
              SECONDS, application.daemon.log_end)

    def wait_parked(self, application, partition, words):
        def found():
            application.daemon.require_running()
            status, body = application.daemon.get("/readyz")
            return status == 503 and f"partition {partition} is parked" in body and words in body
        until(found, SECONDS, application.daemon.log_end)

    def wait_ended(self, application, code, *words):
        """It ends by itself, and its log says why."""
        self.assertEqual(application.daemon.wait(SECONDS), code, application.daemon.log_end())
        for each in words:
            self.assertIn(each, application.daemon.log())
