#!/usr/bin/env python3
"""On a broker that asks who may do what: exactly the rights that deploy/OPERATIONS.md lists suffice, and one
that is taken away ends the daemon with a word that names what is missing."""
import sys

sys.dont_write_bytecode = True
import harness  # noqa: E402
from harness import BROKER, KAFKA_VERSION, OwnBroker, free_ports, run  # noqa: E402
from one_customer import OneCustomerAPartition  # noqa: E402

TROUBLE = 3
USER = "segmentd"
PASSWORD = "of-this-test"
ORDERS = 20
# The tests, the controller and the broker itself ask at the plain listener, which may do everything.
PROPERTIES = f"""
listeners=PLAINTEXT://127.0.0.1:{{plain}},SASL_PLAINTEXT://127.0.0.1:{{sasl}},CONTROLLER://127.0.0.1:{{controller}}
advertised.listeners=PLAINTEXT://127.0.0.1:{{plain}},SASL_PLAINTEXT://127.0.0.1:{{sasl}}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT
sasl.enabled.mechanisms=PLAIN
listener.name.sasl_plaintext.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required user_{USER}="{PASSWORD}";
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
"""


class Rights:
    """Kafka's own command: the Python client of this version cannot change them."""

    def __init__(self, brokers):
        self.brokers = brokers
        found = run([BROKER, "classpath", "--version", KAFKA_VERSION])
        assert found.returncode == 0, found.stderr
        self.classpath = found.stdout.strip()
        self.command = ("kafka.admin.AclCommand" if KAFKA_VERSION.startswith("3.") else
                        "org.apache.kafka.tools.AclCommand")

    def change(self, *arguments):
        done = run(["java", "-XX:TieredStopAtLevel=1", "-cp", self.classpath, self.command,
                    "--bootstrap-server", self.brokers, *arguments])
        assert done.returncode == 0, done.stdout + done.stderr

    def allow(self, resource, *operations):
        self.change("--add", "--allow-principal", f"User:{USER}", *resource,
                    *(part for operation in operations for part in ("--operation", operation)))

    def deny(self, resource, operation):
        """Wins over what is allowed."""
        self.change("--add", "--deny-principal", f"User:{USER}", *resource, "--operation", operation)

    def lift(self, resource, operation):
        """Takes a deny() back."""
        self.change("--remove", "--force", "--deny-principal", f"User:{USER}", *resource, "--operation", operation)


def beginning_with(name):
    return (name, "--resource-pattern-type", "prefixed")


class AuthorisationTest(OneCustomerAPartition):
    def test_rights(self):
        """One after the other, for a broker and its rights are slow to be had."""
        self.begin_with_rights()
        application, topics = self.shop, ("--topic",)
        with self.subTest("what the page lists suffices, after a kill too"):
            application.daemon.kill()
            self.goes_on()
            self.assertEqual(application.rejects(), [])
        for what, resource, operation, words in (
                ("to write the table", (*topics, application.table), "Write", application.table),
                ("to write the changelog", (*topics, application.name + "-changelog"), "Write",
                 application.name + "-changelog"),
                ("to read the model topic", (*topics, application.name + "-model"), "Read",
                 application.name + "-model"),
                ("to read the input", (*topics, application.input), "Read", application.input),
                ("to the group", ("--group", application.name), "Read", application.name),
                ("to the transactional id", ("--transactional-id", application.name + "-one-0"), "Write",
                 "ransactional")):
            with self.subTest("a right is taken away: " + what):
                self.ends_without(resource, operation, words)
                self.goes_on()
        with self.subTest("started without the right to read the model topic"):
            model = (*topics, application.name + "-model")
            self.rights.deny(model, "Read")
            application.daemon.start()
            self.wait_ended(application, TROUBLE, application.name + "-model", "uthorization failed")
            self.rights.lift(model, "Read")
            self.goes_on()

    def begin_with_rights(self):
        broker = OwnBroker()
        self.addCleanup(broker.close)
        port, = free_ports(1)
        broker.properties.write_text(PROPERTIES.format(plain=broker.port, sasl=port,
                                                       controller=broker.controller_port))
        broker.start()
        self.rights = Rights(broker.address)
        self.shop = self.application("rights", partitions=1, brokers=broker.address, instance="one")
        self.shop.daemon.settings.update({
            "brokers": f"127.0.0.1:{port}", "kafka.security.protocol": "SASL_PLAINTEXT",
            "kafka.sasl.mechanism": "PLAIN", "kafka.sasl.username": USER, "kafka.sasl.password": PASSWORD,
            # Not below the prefix of the application, which has other rights.
            "input.topic": "in-" + self.shop.name, "output.changes_topic": "changes-" + self.shop.name,
            "output.table_topic": "table-" + self.shop.name})
        self.shop.input, self.shop.changes, self.shop.table = (
            word + "-" + self.shop.name for word in ("in", "changes", "table"))
        self.shop.kafka.create(self.shop.input, 1)
        self.grant(self.shop)
        self.sent = 0
        self.send_more()
        self.shop.daemon.start()
        self.shop.wait_until_consumed()

    def grant(self, application):
        """The table "Rights on the brokers" of the page, line by line."""
        name = application.name
        self.rights.allow(("--topic", application.input), "Read", "DescribeConfigs")
        self.rights.allow(("--topic", application.changes, "--topic", application.table),
                          "Write", "Create", "DescribeConfigs")
        self.rights.allow(("--topic", *beginning_with(name + "-")), "Read", "Write", "Create", "DescribeConfigs")
        self.rights.allow(("--group", name), "Read")
        self.rights.allow(("--transactional-id", *beginning_with(name + "-")), "Write")

    def send_more(self):
        self.send(self.shop, 0, range(self.sent, self.sent + ORDERS))
        self.sent += ORDERS

    def ends_without(self, resource, operation, words):
        self.shop.daemon.start().wait_active()
        self.rights.deny(resource, operation)
        self.send_more()
        self.wait_ended(self.shop, TROUBLE, words, "uthorization failed")
        self.rights.lift(resource, operation)

    def goes_on(self):
        self.send_more()
        self.shop.daemon.start()
        self.shop.wait_until_consumed()
        self.shop.daemon.stop()
        self.assertEqual(self.frequency(self.shop, "c0"), self.sent)


if __name__ == "__main__":
    harness.main()
