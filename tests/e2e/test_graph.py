#!/usr/bin/env python3
"""leat graph: the shop drawn from its topology alone. What is expected is written here by hand;
both drawings and the JSON must say the same. No server is asked.

# sanitizers: asan
"""

import json
import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "integration"))
from lib import check, servers  # noqa: E402

SHOP = os.path.join(servers.ROOT, "topology", "shop.yaml")
FLOW = {
    ("source:psp-settlements", "commands:payments"): {"SettlePayment"},
    ("commands:orders", "processor:orders"): {"PlaceOrder", "MarkPaid", "CancelOrder"},
    ("commands:payments", "processor:payments"): {"TakePayment", "SettlePayment"},
    ("processor:orders", "commands:payments"): {"TakePayment"},
    ("processor:orders", "commands:orders"): {"CancelOrder"},
    ("policy:checkout", "commands:orders"): {"MarkPaid", "CancelOrder"},
    ("events:shop.events", "policy:checkout"): {"PaymentTaken", "PaymentRefused"},
    ("events:shop.events", "projection:orders"): {"OrderPlaced", "OrderPaid", "OrderCancelled"},
    ("processor:orders", "dead:shop.orders.dlq"): set(),
    ("policy:checkout", "dead:shop.checkout.dlq"): set(),
    ("projection:orders", "query:GetOrder"): set(),
    ("projection:orders", "query:OpenOrders"): {"by_customer"},
}


def graph(*arguments, path=SHOP):
    done = subprocess.run([servers.BIN, "graph", "-t", path, *arguments], capture_output=True,
                          text=True, timeout=30, check=False)
    check.equal((done.returncode, done.stderr), (0, ""), " ".join(arguments))
    return done.stdout


def as_json():
    """Names of nodes by id, and edges as {(from, to): lines} of ids."""
    answer = json.loads(graph("--json"))
    names = {n["id"]: f"{n['kind']}:{n['name']}" for n in answer["nodes"]}
    check.equal(len(names), len(answer["nodes"]), "ids are of one node each")
    return answer, names, {(e["from"], e["to"]): e["types"] for e in answer["edges"]}


def mermaid():
    """Node ids and edges of the text; every line must be one or the other."""
    head, *lines = graph().splitlines()
    check.equal(head, "flowchart LR")
    nodes, edges = {}, {}
    for line in lines:
        edge = re.fullmatch(r'    (\w+) (?:-->|-\.->)(?:\|"([^"]*)"\|)? (\w+)', line)
        node = re.fullmatch(r'    (\w+)(\(\[|\[\(|\[/|\{\{|\[|>)"([^"]*)"(\]\)|\)\]|/\]|\}\}|\])',
                            line)
        check.equal((edge is None) != (node is None), True, line)
        if edge:
            edges[edge[1], edge[3]] = edge[2].split("<br>") if edge[2] else []
        else:
            nodes[node[1]] = node[3].split("<br>")
    return nodes, edges


def dot():
    text = graph("--format", "dot")
    head, *lines, last = text.splitlines()
    check.equal((head, last), ('digraph "shop" {', "}"))
    nodes, edges = {}, {}
    for line in lines[3:]:
        edge = re.fullmatch(r'    (\w+) -> (\w+) \[(?:label="([^"]*)")?(?:style=dotted)?\];', line)
        node = re.fullmatch(r'    (\w+) \[shape=\w+ (?:style=(?:\w+|"[\w,]+") )?label="([^"]*)"\];',
                            line)
        check.equal((edge is None) != (node is None), True, line)
        if edge:
            edges[edge[1], edge[2]] = edge[3].split("\\n") if edge[3] else []
        else:
            nodes[node[1]] = node[2].split("\\n")
    return nodes, edges


@check.test
def what_flows_where_is_what_the_topology_says():
    _, names, edges = as_json()
    found = {(names[a], names[b]): set(types) for (a, b), types in edges.items()}
    for way, types in FLOW.items():
        check.equal(found.get(way), types, " -> ".join(way))


@check.test
def command_topics_are_drawn_by_priority():
    answer, _, _ = as_json()
    topics = next(n["text"] for n in answer["nodes"] if n["id"] == "commands_orders")
    check.equal(topics, ["shop.orders.hot, weight 70", "shop.orders.warm, weight 20, default",
                         "shop.orders.cold, weight 10"])


@check.test
def both_drawings_have_the_nodes_and_edges_of_the_json():
    _, names, edges = as_json()
    for nodes, drawn in (mermaid(), dot()):
        check.equal(set(nodes), set(names))
        check.equal(drawn, edges)
        check.equal({end for way in drawn for end in way} <= set(nodes), True)


@check.test
def the_same_file_gives_the_same_text():
    for form in ("mermaid", "dot"):
        check.equal(graph("--format", form), graph("--format", form))


@check.test
def graphviz_accepts_it_where_it_is_installed():
    if shutil.which("dot") is None:
        return
    done = subprocess.run(["dot", "-Tsvg"], input=graph("--format", "dot"), capture_output=True,
                          text=True, timeout=60, check=False)
    check.equal((done.returncode, done.stderr), (0, ""))
    check.contains(done.stdout, "shop.events")


@check.test
def other_forms_are_refused():
    done = subprocess.run([servers.BIN, "graph", "-t", SHOP, "--format", "png"],
                          capture_output=True, text=True, timeout=30, check=False)
    check.equal((done.returncode, done.stdout), (2, ""))
    check.contains(done.stderr, "mermaid or dot")


if __name__ == "__main__":
    check.main()
