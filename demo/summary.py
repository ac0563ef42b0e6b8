"""What the demo prints when all is settled: for reading, not for programs."""
import json

BAR = 30
SHOWN = ("company", "email", "state", "score", "tier", "reasons", "team")  # of an event


def bars(counts, order=None):
    most = max(counts.values(), default=1)
    width = max((len(k) for k in counts), default=0)
    for name in order or sorted(counts, key=lambda k: -counts[k]):
        n = counts.get(name, 0)
        yield f"    {name:<{width}}  {n:>7,}  {'#' * round(BAR * n / most)}"


def text(run):
    """run: see demo.py, class Run."""
    w, out = run.want, []
    done = run.seconds["settled"]
    out += ["", f"{w['rows']:,} rows of {run.csv_name}", ""]
    out += [f"  refused by the import     {len(w['refused_at_import']):>7,}   each with its line "
            f"and reason in {run.rejects_name}"]
    refused = {}
    for code in w["refused_at_import"].values():
        refused[code] = refused.get(code, 0) + 1
    out += bars(refused)
    out += ["", f"  rejected by `create`      {sum(w['rejected'].values()):>7,}   a business "
            "\"no\", recorded with its code, never retried"]
    out += bars(w["rejected"])
    out += ["", f"  leads created             {w['accepted']:>7,}   scored, then routed at the "
            "priority of their tier"]
    out += bars(w["tiers"], ["hot", "warm", "cold"])
    out += ["", "  how long", f"    {'import':<10}{run.seconds['import']:>7.1f} s   "
            f"{w['sent'] / run.seconds['import']:>8,.0f} rows/s read, checked, taken by Kafka"]
    commands = w["sent"] + 2 * w["accepted"]
    out += [f"    {'settled':<10}{done:>7.1f} s   {commands / done:>8,.0f} commands/s through "
            "Kafka, handlers, Postgres, relay and read models"]
    out += [f"    leat took {run.cpu_s:.1f} s of CPU and {run.rss_mb:.0f} MB of memory, "
            f"{run.processes} processes with the supervisor"]
    out += ["", f"  one lead's history: {run.lead['key']}"]
    out += history(run)
    out += ["", "  counted again in Python, without leat's code"]
    out += ["    " + line for line in run.checks.lines]
    return "\n".join(out)


def history(run):
    for e in run.history:
        data = e.get("data", e.get("payload", {}))
        shown = {k: data[k] for k in SHOWN if k in data}
        yield f"    {e.get('version', '?')}  {e.get('type', '?'):<12} " + json.dumps(
            shown, ensure_ascii=False)[:150]


def next_steps(run):
    url, key = run.url, run.lead["key"]
    mine = {"lead_id": "me", "company": "Mine", "email": "me@example.com", "state": "NY",
            "source": "web"}
    return "\n".join([
        "", "  where to look next",
        f"    curl '{url}/v1/models/leads/{key}'",
        f"    curl '{url}/v1/models/leads?index=by_tier&from=hot&to=hot&limit=5'",
        f"    curl '{url}/v1/models/tiers'          also: funnel, states",
        f"    curl '{url}/v1/streams/lead-{key}'",
        f"    curl -H 'Prefer: wait=5' '{url}/v1/commands/CreateLead' \\",
        f"         -d '{json.dumps(mine)}'",
        f"    curl '{url}/metrics'",
        "", f"    {run.env_line}",
        f"    {run.leat} get leads {key}",
        f"    {run.leat} list leads --index by_state --from CA --to CA --limit 5",
        f"    {run.leat} stream lead-{key}",
        f"    {run.leat} lag",
        f"    {run.leat} send ScoreLead '{{\"lead_id\": \"{key}\"}}' --wait 5s",
        "    psql $STORE_URL -c 'select error_code, count(*) from leads.commands group by 1'",
        "", f"    {run.rejects_name}   refused lines, each with its reason",
        f"    {run.log_name}                  what leat said",
    ])
