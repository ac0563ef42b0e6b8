"""What the processes of a fleet hold in memory that is theirs alone (RssAnon), while it runs."""

import threading

EVERY_S = 0.25


def anonymous_mb(pid):
    """0 for one that has ended."""
    try:
        with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as f:
            for line in f:
                if line.startswith("RssAnon:"):
                    return int(line.split()[1]) / 1024
    except (FileNotFoundError, ProcessLookupError):
        pass
    return 0.0


class Watch:
    """The most that any process of each instance held, by phase. A mark() begins a phase."""

    def __init__(self, fleet):
        self.fleet, self.phase, self.peaks = fleet, "before", {}
        self.quit = threading.Event()
        self.thread = threading.Thread(target=self._main, daemon=True)
        self.thread.start()

    def _main(self):
        while not self.quit.wait(EVERY_S):
            for name in list(self.fleet.running):
                self._look(name)

    def _look(self, name):
        process = self.fleet.running.get(name)
        if process is None or not process.alive():
            return
        peaks = self.peaks.setdefault(self.phase, {})
        for pid in (process.pid, *process.children()):
            peaks[name] = max(peaks.get(name, 0), anonymous_mb(pid))

    def mark(self, phase):
        self.phase = phase

    def end(self):
        self.quit.set()
        self.thread.join(10)

    def most(self, phase):
        """instance -> MB."""
        return {name: round(mb, 1) for name, mb in sorted(self.peaks.get(phase, {}).items())}

    def growth(self):
        """instance -> MB more than before the fault, at the worst moment since."""
        before = self.peaks.get("before", {})
        since = {}
        for phase, peaks in self.peaks.items():
            for name, mb in peaks.items() if phase != "before" else ():
                since[name] = max(since.get(name, 0), mb)
        return {name: round(mb - before.get(name, 0), 1) for name, mb in sorted(since.items())}
