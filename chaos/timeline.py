"""When each command was settled, from the store: how long lanes were idle, when the rate was
back."""

import bisect
import collections
import csv
import io
import json
import re

from lib import pg

WINDOW_S = 1.0
BACK_SHARE = 0.95
LATE_S = 1.0


class Timeline:
    """Times are epoch seconds of the machine; the store's clock is the same."""

    def __init__(self, name, load):
        text = pg.execute("select id, processor, slice, extract(epoch from finished_at) as at "
                          f'from "{name}".commands')
        number = {c.id: c.number for c in load.commands}
        self.lanes, self.delays = collections.defaultdict(list), []
        for row in csv.DictReader(io.StringIO(text)):
            n = number.get(row["id"])
            if n is None:  # sent by a processor, not by us
                continue
            at = float(row["at"])
            self.lanes[row["processor"], int(row["slice"])].append((at, load.sent_at[n]))
            self.delays.append((at, at - load.sent_at[n]))
        for times in self.lanes.values():
            times.sort()
        self.delays.sort()
        self.times = [at for at, _ in self.delays]

    def idle(self, start, end):
        """lane -> the longest time overlapping [start, end] in which nothing of it was settled
        though something waited: from the one before, or from when it was sent, to its end."""
        found = {}
        for lane, all_of_it in self.lanes.items():
            i = max(bisect.bisect_left(all_of_it, (start, 0)) - 1, 0)
            j = min(bisect.bisect_right(all_of_it, (end, 0)), len(all_of_it) - 1)
            found[lane] = max((all_of_it[n + 1][0] - max(all_of_it[n][0], all_of_it[n + 1][1])
                               for n in range(i, j)), default=0.0)
        return found

    def rate(self, start, end):
        return (bisect.bisect_left(self.times, end) - bisect.bisect_left(self.times, start)) / (
            end - start)

    def back_at(self, after, before):
        """The first moment not before `after` from which a second brings 95 % of rate `before`, and
        every lane has settled something since `after`; None: never."""
        every = max((all_of_it[i][0] if (i := bisect.bisect_left(all_of_it, (after, 0))) <
                     len(all_of_it) else float("inf")) for all_of_it in self.lanes.values())
        at = after
        while at < self.times[-1]:
            if self.rate(at, at + WINDOW_S) >= BACK_SHARE * before:
                return None if every == float("inf") else max(at, every)
            at += 0.05
        return None

    def caught_up_at(self, after):
        """When the last command that took longer than a second was settled, `after` if none was."""
        return max((at for at, delay in self.delays if delay > LATE_S and at >= after),
                   default=after)


def spread(values):
    """The distribution of seconds, as milliseconds."""
    v = sorted(values)

    def at(share):
        return round(1000 * v[min(len(v) - 1, int(share * len(v)))]) if v else None

    return {"n": len(v), "p50": at(0.5), "p90": at(0.9), "p99": at(0.99),
            "max": round(1000 * v[-1]) if v else None}


def logged(log, event):
    """Epoch seconds of every line of a leat log with this event."""
    found = []
    for line in log.splitlines():
        if f'"{event}"' not in line and f"event={event}" not in line:
            continue
        found.append(line)
    return [t for t in (_time_of(line) for line in found) if t is not None]


def _time_of(line):
    import datetime
    m = re.search(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", line)
    if not m:
        return None
    return datetime.datetime.fromisoformat(m.group(0).replace("Z", "+00:00")).timestamp()
