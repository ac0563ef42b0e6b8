"""Scenarios of a cluster of three brokers, each a controller as well; and of topics that are made
anew. See scenarios.py."""

import collections
import dataclasses
import json
import signal
import time

import verify
from lib import kafka, pg, servers, wait
from load import PARTITIONS
from scenarios import scenario
from steady import PROCESSORS, Producer, partition_of
from trial import pause

THREE = {"brokers": 3, "topics": "{replication.factor: 3, min.insync.replicas: 2}"}
UNCLEAN = {"brokers": 3, "topics": "{replication.factor: 2, min.insync.replicas: 1, "
                                   "unclean.leader.election.enable: true}"}


@dataclasses.dataclass
class Part:
    topic: str
    partition: int
    leader: int
    replicas: list
    in_sync: list


def parts(t):
    """All partitions of the topology's topics, as the brokers tell."""
    found = []
    for line in kafka.leaders().splitlines():
        topic, partition, leader, replicas, in_sync = line.split("\t")
        if topic.startswith(f"{t.name}."):
            found.append(Part(topic, int(partition), int(leader),
                              sorted(map(int, replicas.split(","))),
                              sorted(int(i) for i in in_sync.split(",") if i)))
    return found


def all_in_sync(t):
    wait.until(lambda: all(p.replicas == p.in_sync and p.leader > 0 for p in parts(t)), 90,
               "all replicas to be in sync", every=0.5)


def all_led(t, without=()):
    wait.until(lambda: all(p.leader > 0 and p.leader not in without for p in parts(t)), 60,
               "each partition to have a leader", every=0.3)


# ---- leaders that go ----

@scenario("leader-change", **THREE)
def leader_change(t):
    """of three brokers one is killed (-9) and started again, then another stopped (SIGTERM)"""
    moved, steps = [], []
    for number, how in ((1, signal.SIGKILL), (2, signal.SIGTERM)):
        node = t.own.kafka.node(number)
        moved.append(sum(p.leader == number for p in parts(t)))
        for step in (lambda: node.end(how), lambda: all_led(t, without=(number,)),
                     lambda: pause(3), node.start, lambda: all_in_sync(t)):
            started = time.monotonic()
            step()
            steps.append(round(time.monotonic() - started, 1))
    t.report.update(leaders_moved=moved, end_lead_wait_start_sync_s=steps)


# ---- records that brokers lose ----

def numbers_in(t, processor):
    """(ids, numbers) of the commands that lie in the topics of a processor."""
    ids, numbers = set(), set()
    for priority in ("hot", "cold"):
        for r in kafka.consume(f"{t.name}.{processor}.{priority}"):
            ids.add(r.header("ce_id"))
            numbers.add(json.loads(r.value)["number"])
    return ids, numbers


def at_risk(t, processor, key):
    """Whether some topic of it has lost records of the key's partition, by what the test did."""
    return any((f"{t.name}.{processor}.{priority}", partition_of(key)) in t.alone
               for priority in ("hot", "cold"))


def name_lost(t, facts):
    """What a broker took and then lost before leat had stored it is the broker's loss: named, and
    no business of the other checks. Nothing else may be missing."""
    rows, lost = {r["id"] for r in facts.commands}, []
    found = {p: numbers_in(t, p) for p in (*PROCESSORS, "notes")}
    for c in facts.load.commands:
        if c.id not in rows and c.id not in found[c.processor][0] and at_risk(
                t, c.processor, c.account):
            lost.append(c)
    gone = {c.id for c in lost}
    facts.load.commands = [c for c in facts.load.commands if c.id not in gone]
    noted = {e["body"]["number"] for e in facts.events if e["type"] == "Noted"}
    accepted = {r["id"] for r in facts.commands if r["outcome"] == "accepted"}
    notes = [c for c in facts.load.commands
             if c.processor == "deposits" and c.note and c.id in accepted and
             c.number not in noted and c.number not in found["notes"][1] and
             at_risk(t, "notes", c.note)]
    for c in notes:
        c.note = ""
    t.report.update(lost_by_the_broker=len(lost), lost_numbers=[c.number for c in lost[:10]],
                    sent_and_lost_by_the_broker=len(notes))


def all_have_rows(t, facts):
    """What lies in the topics has been handled, whatever became of the topic meanwhile."""
    rows = {r["id"] for r in facts.commands}
    missing = [f"{p}: {name}" for p in (*PROCESSORS, "notes")
               for name in numbers_in(t, p)[0] if name not in rows]
    return verify.some(missing, "commands lie in their topic and have no row")


def judge_losses(t):
    def settled_once(facts):
        name_lost(t, facts)
        return verify.settled_once(facts)
    t.checks["commands_settled_once"] = settled_once
    t.checks["sent_are_in_the_topics"] = lambda facts: all_have_rows(t, facts)


def read_again(t):
    """What docs/runbooks/stalled.md tells the operator of a lane that leat has stopped: read again
    from the topic's beginning; what was handled is known by its id."""
    lanes = {(e["topic"], int(e["k"])) for e in t.fleet.events("lane-stopped")} - t.read_again
    for topic, k in lanes:
        low = {p: low for p, low, _ in kafka.offsets(topic)}[k]
        pg.execute(f"""begin;
            select 1 from "{t.name}".owners o join "{t.name}".lanes l using (processor, k)
            where l.topic = '{topic}' and k = {k} for update of o;
            update "{t.name}".lanes set next_offset = {low}, fingerprint = 0
            where topic = '{topic}' and k = {k};
            update "{t.name}".owners set epoch = epoch + 1 where k = {k} and processor in
                (select processor from "{t.name}".lanes where topic = '{topic}' and k = {k});
            commit""")
    t.read_again |= lanes
    t.report["lanes_stopped_and_read_again"] = len(t.read_again)


def goes_on(t):
    """Until nothing is left: an operator reads again what leat stops."""
    t.read_again = set()
    done = t.unfinished

    def unfinished():
        read_again(t)
        return done()
    t.unfinished = unfinished


def feeds(t):
    t.load.verb = "feed"


@scenario("unclean-election", before=feeds, **UNCLEAN)
def unclean_election(t):
    """acknowledged records are on one broker alone; it is killed, one that lacks them is elected"""
    judge_losses(t)
    goes_on(t)
    pairs = collections.Counter(tuple(p.replicas) for p in parts(t)
                                if p.topic == f"{t.name}.events")
    a, b = pairs.most_common(1)[0][0]
    t.own.kafka.node(b).end(signal.SIGTERM)
    all_led(t, without=(b,))
    pause(4)
    t.alone = {(p.topic, p.partition) for p in parts(t) if p.replicas == [a, b]}
    ends = dict((k, high) for k, _, high in kafka.offsets(f"{t.name}.events"))
    t.own.kafka.node(a).end(signal.SIGKILL)
    t.own.kafka.node(b).start()
    all_led(t, without=(a,))
    t.report["partitions_at_risk"] = len(t.alone)
    pause(2)
    t.own.kafka.node(a).start()
    all_in_sync(t)
    said = t.fleet.events("tail-lost")
    t.report.update(events_published_again=sum(e["last"] - e["first"] + 1 for e in said),
                    slices_published_again=sorted({e["slice"] for e in said}),
                    events_before=sum(ends.values()))
    t.more_checks["relay_noticed"] = lambda _: None if said else "no tail-lost in any log"


@scenario("topic-recreated")
def topic_recreated(t):
    """the events topic and a command topic are deleted under load, and made anew 3 s later"""
    judge_losses(t)
    goes_on(t)
    events, command = f"{t.name}.events", f"{t.name}.withdrawals.cold"
    t.alone = {(command, k) for k in range(PARTITIONS)}
    t.load.hold("withdrawals", "cold")
    kafka.delete(events, command)
    wait.until(lambda: not {events, command} & set(kafka.topics(t.name)), 30, "them to be gone")
    pause(3)
    t.home.must("apply")
    wait.until(lambda: kafka.offsets(events) and kafka.offsets(command), 60, "leaders")
    t.load.go_on("withdrawals", "cold")
