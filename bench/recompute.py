#!/usr/bin/env python3
"""Recompute the figures of a run from its raw history, and compare them with its results.json.

It shares no code with the laboratory: it is written from docs/design.md ("The measures, exactly"), with the standard library alone.

    python3 bench/recompute.py results/latest

Prints each figure with both values. Exit codes: 0 all agree, 1 at least one does not, 2 usage or a file that cannot be read.
"""

import bisect
import json
import math
import os
import sys

MS = 1_000_000  # nanoseconds
SECOND = 1_000 * MS
CLOCK_SKEW = 10 * MS
LATE = 5 * MS
STEP = 100 * MS
WRITES = {"CreatePost", "UpdatePost", "DeletePost", "CreateComment", "ReviewComment", "Subscribe", "Unsubscribe"}
TAKES_DOWN = {"kill", "stop", "pause", "rebuild", "crash", "zombie"}
MISSING, SHOWN, UNCHANGED = "missing", "shown", "unchanged"


class Run:
    """A history, put together from its lines."""

    def __init__(self, path):
        self.header, self.operations, self.faults, self.effects, self.drained = {}, {}, {}, [], 0
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                if line.endswith("\n"):  # what stands after the last newline was cut
                    self.take(json.loads(line))
        for o in self.operations.values():
            if not o.get("outcome"):
                o["outcome"], o["completed_ns"] = ("unknown" if o["op"] in WRITES else "fail"), 0
        load = [o for o in self.operations.values() if o["phase"] == "load"]
        self.load = sorted(load, key=lambda o: (o["intended_ns"], o["index"]))
        self.due = [o["intended_ns"] for o in self.load]
        self.faults = sorted(self.faults.values(), key=lambda f: f["asked_ns"])
        self.start = self.due[0] if self.due else 0
        self.end = self.start + self.header["length_ns"]
        self.deadline = self.header["deadline_ns"]
        self.told, self.acknowledged = {}, {}
        self.prepare_effects()

    def take(self, line):
        kind = line["type"]
        if kind == "header":
            self.header = line
        elif kind in ("invoke", "complete"):
            self.operations.setdefault((line["phase"], line["index"]), {}).update(line)
        elif kind == "fault":  # the last line of a fault counts
            self.faults[(line["asked_ns"], line["victim"])] = line
        elif kind == "effect":
            self.effects.append(line)
        elif kind == "drained":
            self.drained = line["drained_ns"]

    def prepare_effects(self):
        """First time at which each version of each thing was told, and the highest version that updates of a post returned."""
        for e in self.effects:
            versions = self.told.setdefault((e["aggregate"], e["id"]), {})
            versions[e["version"]] = min(e["at_ns"], versions.get(e["version"], math.inf))
        for o in self.operations.values():
            if o.get("aggregate") == "post" and o["outcome"] == "ok" and o["op"] in WRITES:
                self.acknowledged[o["id"]] = max(o.get("version", 0), self.acknowledged.get(o["id"], 0))

    # Windows.

    def within(self, window):
        return self.load[bisect.bisect_left(self.due, window[0]) : max(0, bisect.bisect_left(self.due, window[1]))]

    def steady(self):
        if not self.faults or self.faults[0]["asked_ns"] >= self.end:
            return self.start, self.end
        quiet = max(0, self.faults[0]["asked_ns"] - self.start)
        return self.start, self.start + quiet - min(self.deadline, quiet // 2)

    def slot_end(self, fault):
        return min(fault["end_ns"], self.end) if fault["end_ns"] else self.end

    def before(self, i):
        asked = self.faults[i]["asked_ns"]
        begin = max(asked - 3 * SECOND, self.start, self.faults[i - 1]["end_ns"] if i else 0)
        return begin, max(begin, asked)

    def during(self, i):
        fault = self.faults[i]
        if fault["in_effect_ns"] and fault["lift_asked_ns"]:
            return fault["in_effect_ns"], fault["lift_asked_ns"]
        return 0, 0

    # Availability and recovery.

    def available(self, o):
        return o["outcome"] == "ok" and o["completed_ns"] - o["intended_ns"] <= self.deadline

    def availability(self, window, op=None):
        due = [o for o in self.within(window) if op in (None, o["op"])]
        ok = sum(map(self.available, due))
        return {"share": ok / len(due) if due else None, "ok": ok, "intended": len(due)}

    def recovery(self, i):
        """When availability was back, or None."""
        fault, level = self.faults[i], self.availability(self.before(i))["share"]
        if fault.get("absent") or not fault["lift_asked_ns"] or level is None:
            return None
        end = self.slot_end(fault)
        for o in self.within((fault["lift_asked_ns"], end)):
            second = o["intended_ns"], o["intended_ns"] + SECOND
            if second[1] <= end and self.availability(second)["share"] >= level:
                return o["intended_ns"]
        return None

    # Effects.

    def first_from(self, thing, version):
        times = [at for v, at in self.told.get(thing, {}).items() if v >= version]
        return (min(times), SHOWN) if times else (0, MISSING)

    def effect(self, o):
        """When the effect of an acknowledged write was told: (time, what is known)."""
        op, thing = o["op"], (o.get("aggregate"), o.get("id"))
        versions, version = self.told.get(thing, {}), o.get("version", 0)
        if op == "ReviewComment":
            return 0, UNCHANGED
        if op == "CreateComment":
            return self.first_from(thing, 0)
        if op == "DeletePost":
            highest = max(versions, default=0)
            late_enough = highest in versions and versions[highest] >= o["sent_ns"] - CLOCK_SKEW
            if late_enough and highest > self.acknowledged.get(o["id"], 0):
                return versions[highest], SHOWN
            return 0, MISSING
        at, known = self.first_from(thing, version) if version in versions else (0, MISSING)
        if op in ("Subscribe", "Unsubscribe") and (version == 0 or known == SHOWN and at < o["sent_ns"] - CLOCK_SKEW):
            return 0, UNCHANGED
        return at, known

    def effect_or_later(self, o):
        at, known = self.effect(o)
        if known == MISSING and o["op"] != "DeletePost":
            return self.first_from((o.get("aggregate"), o.get("id")), o.get("version", 0))
        return at, known

    def shows(self, o, effect):
        """When a write with an effect can be read."""
        page = "GetAuthorPage" if o.get("aggregate") == "author" else "GetPostPage"
        if not self.hidden(self.parts_of(page), effect):
            return effect
        for read in self.load[bisect.bisect_left(self.due, effect) :]:
            if read["op"] == page and read["outcome"] == "ok" and not read.get("degraded"):
                return max(effect, read["completed_ns"])
        return effect

    def parts_of(self, page):
        if self.header["stack"] == "async":
            return ["query"]
        if self.header.get("level") == "fallback":
            return ["query", "posts"]
        return ["query", "posts", "subscriptions"] + (["comments"] if page == "GetPostPage" else [])

    def hidden(self, needed, at):
        return any(
            not f.get("absent") and 0 < f["in_effect_ns"] <= at < (f["lifted_ns"] or self.end) and self.hides(f, needed)
            for f in self.faults
        )

    @staticmethod
    def hides(f, needed):
        if f["name"] == "rolling restart":
            return True
        if f["name"] not in TAKES_DOWN | {"partition"}:
            return False
        caller, _, callee = f["victim"].rpartition("->")
        return callee in needed and caller in ("", "query", "users" if callee == "query" else "")

    def acknowledged_writes(self, operations):
        return [o for o in operations if o["op"] in WRITES and o["outcome"] == "ok"]


def percentiles(durations):
    """By nearest rank; what is below 0 counts as 0."""
    if not durations:
        return None
    ordered = sorted(max(0, d) for d in durations)

    def at(thousandths):
        return ordered[-(-len(ordered) * thousandths // 1000) - 1] / MS

    return {"count": len(ordered), "p50_ms": at(500), "p90_ms": at(900), "p99_ms": at(990), "p99_9_ms": at(999), "max_ms": ordered[-1] / MS}


class Comparison:
    """What was compared so far."""

    def __init__(self):
        self.compared = self.wrong = 0

    def figure(self, name, ours, theirs):
        if isinstance(ours, dict):
            for key, value in ours.items():
                self.figure(f"{name}, {key}", value, theirs.get(key) if isinstance(theirs, dict) else None)
            return
        if ours is None and isinstance(theirs, dict):  # a distribution where there should be none
            theirs = theirs.get("count")
        same = ours is None and theirs is None
        if ours is not None and theirs is not None:
            same = math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-6)
        self.compared += 1
        self.wrong += not same
        print(f"{'ok      ' if same else 'DIFFERS '} {name}: {show(ours)} and {show(theirs)}")


def show(value):
    return "none" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def compare_load(run, c, name, load):
    sent = [o for o in run.load if o["sent_ns"]]
    steady = run.steady()
    c.figure(f"{name}, operations", len(run.load), load["operations"])
    c.figure(f"{name}, dropped", len(run.load) - len(sent), load["dropped"])
    c.figure(f"{name}, start", run.start / MS, load["start_ms"])
    c.figure(f"{name}, end", run.end / MS, load["end_ms"])
    c.figure(f"{name}, end of the steady window", steady[1] / MS, load["steady_end_ms"])
    for what, window, theirs in (("achieved", (run.start, run.end), load["achieved_rate"]), ("steady", steady, load["steady_rate"])):
        length = (window[1] - window[0]) / SECOND
        ok = sum(o["outcome"] == "ok" for o in run.within(window))
        c.figure(f"{name}, {what} rate", ok / length if length > 0 else None, theirs)
    c.figure(f"{name}, late", sum(o["sent_ns"] - o["intended_ns"] > LATE for o in sent), load["late"])
    c.figure(f"{name}, send lateness", percentiles([o["sent_ns"] - o["intended_ns"] for o in sent]), load["send_lateness"])
    woken = [o["woken_ns"] - o["intended_ns"] for o in run.load if o.get("woken_ns")]
    c.figure(f"{name}, timer error", percentiles(woken), load["timer_error"])


def compare_operation(run, c, name, figures):
    mine = [o for o in run.load if o["op"] == figures["op"]]
    for key, outcome in (("ok", "ok"), ("failed", "fail"), ("unknown", "unknown")):
        c.figure(f"{name}, {key}", sum(o["outcome"] == outcome for o in mine), figures[key])
    c.figure(f"{name}, count", len(mine), figures["count"])
    comments = [o for o in mine if o["op"] == "CreateComment" and o["outcome"] == "ok"]
    blocked = [o for o in comments if o.get("blocked")]
    c.figure(f"{name}, decided", sum(o.get("status") in ("APPROVED", "REJECTED") for o in comments), figures.get("decided", 0))
    c.figure(f"{name}, blocked", len(blocked), figures.get("blocked", 0))
    c.figure(f"{name}, refused", sum(o.get("status") == "REJECTED" for o in blocked), figures.get("refused", 0))
    steady = run.steady()
    c.figure(f"{name}, availability", run.availability(steady, figures["op"]), figures["steady"])
    whole = [o for o in mine if o["outcome"] == "ok"]
    answered = [o for o in whole if steady[0] <= o["intended_ns"] < steady[1]]
    answers = percentiles([o["completed_ns"] - o["intended_ns"] for o in answered])
    c.figure(f"{name}, {'TTA' if figures['write'] else 'latency'}", answers, figures.get("tta" if figures["write"] else "latency"))
    if figures["write"]:
        compare_effects(run, c, name, figures, whole)


def compare_effects(run, c, name, figures, whole):
    known = [run.effect(o) for o in whole]
    c.figure(f"{name}, effects not seen", sum(k == MISSING for _, k in known), figures["tte_missing"])
    c.figure(f"{name}, nothing to change", sum(k == UNCHANGED for _, k in known), figures["tte_unchanged"])
    shown = [(o, run.shows(o, at)) for o, (at, k) in zip(whole, known) if k == SHOWN]
    steady = run.steady()
    calm = [(o, at) for o, at in shown if steady[0] <= o["intended_ns"] < steady[1]]
    for key, writes in (("", calm), ("_whole_run", shown)):
        c.figure(f"{name}, TTE{key}", percentiles([at - o["intended_ns"] for o, at in writes]), figures.get("tte" + key))
        c.figure(f"{name}, staleness{key}", percentiles([at - o["completed_ns"] for o, at in writes]), figures.get("staleness" + key))


def compare_fault(run, c, i, figures, ops):
    fault = run.faults[i]
    name = f"{run.header['stack']}, {fault['name']} {fault['victim']}"
    recovered = run.recovery(i)
    after = (recovered, run.slot_end(fault)) if recovered is not None else (0, 0)
    windows = {"before": run.before(i), "during": run.during(i), "after": after}
    end = (max(fault["lift_asked_ns"], run.slot_end(fault) - 2000 * MS), run.slot_end(fault)) if fault["lift_asked_ns"] else (0, 0)
    theirs = {w["op"]: w for w in figures["ops"]}
    for op in ops:
        c.figure(f"{name}, end, {op}", run.availability(end, op), theirs[op]["end"])
    c.figure(f"{name}, recovery", None if recovered is None else (recovered - fault["lift_asked_ns"]) / MS, figures["recovery_ms"])
    for key, window in windows.items():
        c.figure(f"{name}, {key}, all", run.availability(window), figures["total"][key])
        for op in ops:
            c.figure(f"{name}, {key}, {op}", run.availability(window, op), theirs[op][key])
            compare_times(run, c, f"{name}, {key}, {op}", [o for o in run.within(window) if o["op"] == op], theirs[op]["times"][key])
    writes = run.acknowledged_writes(run.within(windows["during"]))
    known = [(o, *run.effect(o)) for o in writes]
    longest = max(((run.shows(o, at) - o["intended_ns"]) / MS for o, at, k in known if k == SHOWN), default=None)
    c.figure(f"{name}, max TTE", longest, figures["max_tte_ms"])
    c.figure(f"{name}, effects not seen", sum(k == MISSING for _, _, k in known), figures["tte_missing"])
    compare_drain(run, c, name, fault, figures)


def compare_times(run, c, name, due, figures):
    ok = [o for o in due if o["outcome"] == "ok"]
    c.figure(f"{name}, OK time", percentiles([o["completed_ns"] - o["intended_ns"] for o in ok]), figures["ok"])
    answered = [o for o in due if o["completed_ns"] > 0]
    c.figure(f"{name}, answer time", percentiles([o["completed_ns"] - o["intended_ns"] for o in answered]), figures["answer"])
    known = [(o, *run.effect(o)) for o in run.acknowledged_writes(ok)]
    shown = [run.shows(o, at) - o["intended_ns"] for o, at, k in known if k == SHOWN]
    c.figure(f"{name}, TTE", percentiles(shown), figures.get("tte"))
    c.figure(f"{name}, TTE not seen", sum(k == MISSING for _, _, k in known), figures.get("tte_missing", 0))


def compare_drain(run, c, name, fault, figures):
    lift = fault["lift_asked_ns"]
    if fault.get("absent") or not lift:
        c.figure(f"{name}, drain", None, figures["drain_ms"])
        return
    writes = run.acknowledged_writes(run.within((fault["asked_ns"], lift)))
    known = [(o, *run.effect_or_later(o)) for o in writes if o["completed_ns"] < lift]
    if any(k == MISSING for _, _, k in known):
        c.figure(f"{name}, drain", None, figures["drain_ms"])
        return
    last = max((run.shows(o, at) for o, at, k in known if k == SHOWN), default=0)
    c.figure(f"{name}, drain", max(0, last - lift) / MS, figures["drain_ms"])
    c.figure(f"{name}, drained writes", len(known), figures["drain_writes"])


def compare_backlog(run, c, name, theirs):
    if not theirs:  # rounds of a run with several hold none
        return
    known = [(o, *run.effect_or_later(o)) for o in run.acknowledged_writes(run.load)]
    waits = [(o["completed_ns"], run.shows(o, at)) for o, at, k in known if k == SHOWN]
    for point in theirs:
        at = round(point["at_ms"] * MS)
        ages = [at - acknowledged for acknowledged, shows in waits if acknowledged <= at < shows]
        if (len(ages), max(ages, default=0) / MS) != (point["waiting"], point["oldest_ms"]):
            c.figure(f"{name} at {at / SECOND:.1f} s, waiting", len(ages), point["waiting"])
            c.figure(f"{name} at {at / SECOND:.1f} s, oldest", max(ages, default=0) / MS, point["oldest_ms"])
    end = max([run.end, run.drained] + [shows for _, shows in waits])
    c.figure(f"{name}, points", (end - run.start) // STEP + 1, len(theirs))


def compare_account(run, c, name, figures):
    writes = [o["outcome"] for o in run.load if o["op"] in WRITES]
    c.figure(f"{name}, attempted", len(writes), figures["attempted"]["count"])
    for key, outcome in (("acknowledged", "ok"), ("failed", "fail"), ("unknown", "unknown")):
        c.figure(f"{name}, {key}", writes.count(outcome), figures[key]["count"])


def compare_stack(folder, c, stack):
    run, figures = Run(os.path.join(folder, stack["history"])), stack["figures"]
    name = stack["stack"]
    compare_load(run, c, f"{name}, load", figures["load"])
    ops = sorted({o["op"] for o in run.load})
    c.figure(f"{name}, kinds of operations", len(ops), len(figures["ops"]))
    for op in figures["ops"]:
        compare_operation(run, c, f"{name}, {op['op']}", op)
    c.figure(f"{name}, faults", len(run.faults), len(figures["faults"]))
    for i, fault in enumerate(figures["faults"][: len(run.faults)]):
        compare_fault(run, c, i, fault, ops)
    compare_backlog(run, c, f"{name}, backlog", figures["backlog"])
    compare_account(run, c, f"{name}, writes", stack["check"]["figures"])


def main(args):
    if len(args) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    folder = args[0]
    try:
        with open(os.path.join(folder, "results.json"), encoding="utf-8") as text:
            results = json.load(text)
        c = Comparison()
        rounds = results.get("rounds") or [results]
        for stack in (stack for one in rounds for stack in one["stacks"]):
            compare_stack(folder, c, stack)
    except (OSError, ValueError) as err:
        print(f"recompute: {err}: give the folder of a run of `tandem bench`", file=sys.stderr)
        return 2
    if not c.compared:
        print("recompute: nothing to compare", file=sys.stderr)
        return 1
    print(f"{c.compared} figures compared, {c.wrong} differ")
    return 1 if c.wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
